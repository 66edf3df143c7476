-- From which commit of the public repository this database was built; none when it has known the rounds itself.
-- The steps that older commits name in their trailers were another database's: the numbers of their attempts mean nothing here.
CREATE TABLE recovery (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    commit_sha   text        NOT NULL,
    recovered_at timestamptz NOT NULL DEFAULT now()
);
