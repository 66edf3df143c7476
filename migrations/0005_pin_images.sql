-- What an image's tag pointed to when its build was decided; none when the registry did not tell. Pods are ordered by it.
ALTER TABLE build
    ADD COLUMN digest text CHECK (digest IS NULL OR (digest ~ '^sha256:[0-9a-f]{64}$' AND docker_image IS NOT NULL));
