"""The pages inside Airflow's UI: what the repository knows, to be read. Nothing here acts on a host, or writes.

`lazily.py` is what the plugin registers; `app.py` puts the pages together. A page is a module with a router, which
gathers plain data, and a template of the same name. Every route asks Airflow who it is (`reader.py`).
"""
