-- What people changed in the public repository, and what became of it. Written by git-sync, which reads their commits.

-- Up to which commit the foreign changes are stored; one row.
CREATE TABLE mirror_cursor (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    commit_sha text        NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);

-- Edits of files that people own. The newest of a path says how the file stands.
CREATE TABLE repository_edit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path       text        NOT NULL,
    commit_sha text        NOT NULL,
    author     text        NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('in_force', 'partly_in_force', 'refused')),
    -- Sentences: what was wrong, and what stays in force because of it.
    problems   text[]      NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When people were told of the problems.
    noticed_at timestamptz,
    UNIQUE (commit_sha, path),
    CHECK ((outcome = 'in_force') = (problems = '{}'))
);
CREATE INDEX repository_edit_path ON repository_edit (path, id DESC);

-- Edits that stand in our way: of files that Assize owns, or of a paused state.json. An operator decides, or the edit is
-- taken back (withdrawn). git-sync then settles it: the file is as decided, and the changes that were held are made.
CREATE TABLE mirror_conflict (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path       text        NOT NULL,
    owner      text        NOT NULL CHECK (owner IN ('people', 'assize')),
    author     text        NOT NULL,
    commit_sha text        NOT NULL,
    -- What the mirror needs to go on protecting the edit.
    contested  jsonb       NOT NULL,
    -- The file before the first edit and after the last; null when it was not there.
    before     bytea,
    theirs     bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    noticed_at timestamptz,
    decision   text CHECK (decision IN ('accepted', 'rejected', 'withdrawn')),
    decided_by text,
    reason     text CHECK (reason <> ''),
    decided_at timestamptz,
    settled_at timestamptz,
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK (decision IS NOT NULL OR settled_at IS NULL)
);
CREATE UNIQUE INDEX mirror_conflict_unsettled ON mirror_conflict (path) WHERE settled_at IS NULL;

-- Our changes that wait for the decision, in order.
CREATE TABLE held_change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conflict_id bigint  NOT NULL REFERENCES mirror_conflict,
    step        text    NOT NULL,
    attempt     integer NOT NULL,
    because     text    NOT NULL,
    change      text    NOT NULL,
    content     bytea   NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (conflict_id, step, attempt, change, content)
);
