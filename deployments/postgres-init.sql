-- Prefect's own database, beside ours; run once, when the server is made.
CREATE DATABASE prefect OWNER runbooks;
