-- Sent first in every session of this benchmark, and not timed.
SET search_path = analytics;
