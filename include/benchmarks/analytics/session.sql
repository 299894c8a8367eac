-- Sent first in every session of this benchmark, and not timed.
SET client_min_messages = warning;
SET search_path = analytics;
