-- One role and one database for each service that has one; neither role can connect to the other's database.
-- Run once by the PostgreSQL image, when its data folder is empty: docker-compose.yml, deploy/k8s/overlays/dev.
\getenv auth_password AUTH_DATABASE_PASSWORD
\getenv todo_password TODO_DATABASE_PASSWORD
CREATE ROLE auth LOGIN PASSWORD :'auth_password';
CREATE ROLE todo LOGIN PASSWORD :'todo_password';
CREATE DATABASE auth OWNER auth;
CREATE DATABASE todo OWNER todo;
REVOKE CONNECT ON DATABASE auth, todo, postgres FROM PUBLIC;
