-- What the round's steps record, for the tournament to observe and people to look at. Each row is written in the transaction
-- that completes the step it comes from.

CREATE TABLE round (
    round       integer PRIMARY KEY,
    stage       text        NOT NULL,
    stage_since timestamptz NOT NULL DEFAULT now(),
    waits_for   text[]      NOT NULL DEFAULT '{}',
    winner      text,
    closed_at   timestamptz
);

CREATE TABLE submission (
    round             integer NOT NULL,
    hotkey            text    NOT NULL,
    position          integer NOT NULL,
    repo              text    NOT NULL,
    commit            text    NOT NULL,
    cdn_url           text    NOT NULL,
    revealed_at_block bigint  NOT NULL,
    PRIMARY KEY (round, hotkey)
);

-- One module of one miner (or of the leader's baseline): repeat 0 is the submission, 1 and up are regenerations.
CREATE TABLE entry (
    round           integer NOT NULL,
    hotkey          text    NOT NULL,
    repeat          integer NOT NULL,
    stem            text    NOT NULL,
    js              text,
    views           text,
    failure_reason  text,
    size            bigint  NOT NULL DEFAULT 0,
    module_sha256   text,
    document_sha256 text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (round, hotkey, repeat, stem)
);

CREATE TABLE match_result (
    round     integer NOT NULL,
    matrix    text    NOT NULL CHECK (matrix IN ('matches', 'audits')),
    -- As in the matrix file: `leader` or a hotkey; `submitted_{r}` or `{defender}_{r}` for audits.
    left_side text    NOT NULL,
    right_side text   NOT NULL,
    score     integer NOT NULL,
    margin    double precision NOT NULL CHECK (margin BETWEEN -1 AND 1),
    duels     integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    position  bigint GENERATED ALWAYS AS IDENTITY,
    -- Whether report and matrix row are in the outbox. They go out in the order of play, not of measurement.
    published boolean NOT NULL DEFAULT false,
    PRIMARY KEY (round, matrix, left_side, right_side)
);

CREATE TABLE generation_report (
    round   integer NOT NULL,
    hotkey  text    NOT NULL,
    outcome text    NOT NULL CHECK (outcome IN ('pending', 'completed', 'rejected')),
    repeats jsonb   NOT NULL,
    reason  text    NOT NULL DEFAULT '',
    PRIMARY KEY (round, hotkey)
);

CREATE TABLE build (
    round        integer NOT NULL,
    hotkey       text    NOT NULL,
    status       text    NOT NULL,
    docker_image text,
    PRIMARY KEY (round, hotkey)
);
