-- What the round's steps record, for the tournament to observe and people to look at. Each row is written in the transaction
-- that completes the step it comes from.

CREATE TABLE round (
    round       integer PRIMARY KEY,
    stage       text        NOT NULL,
    stage_since timestamptz NOT NULL DEFAULT now(),
    waits_for   text[]      NOT NULL DEFAULT '{}',
    winner      text,
    -- How matches are measured, once it is published: fixed before the first duel.
    judging     jsonb,
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
    -- Digest of all fourteen objects of the views, and of the prompt's image they were embedded with.
    pictures_sha256 text,
    prompt_sha256   text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (round, hotkey, repeat, stem)
);

-- Verdicts of single duels. `binding` is the digest of everything a verdict depends on: both sides' pictures, the prompt, the
-- texts of the questions, the model, the thresholds, the seed. New pictures make a new row; the old one stays, superseded.
CREATE TABLE duel (
    round      integer NOT NULL,
    -- As in the matrix files: `matches` or `audits`, left side, right side.
    matrix     text    NOT NULL CHECK (matrix IN ('matches', 'audits')),
    left_side  text    NOT NULL,
    right_side text    NOT NULL,
    stem       text    NOT NULL,
    -- 0 for the measurement that counts, 1 and up for repeated ones.
    run        integer NOT NULL DEFAULT 0,
    binding    text    NOT NULL,
    winner     text    NOT NULL CHECK (winner IN ('left', 'right', 'draw')),
    decided_by text    NOT NULL,
    -- The flow that judged it: its output has the whole record, its children are the calls.
    job_key    text    NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz,
    PRIMARY KEY (round, matrix, left_side, right_side, stem, run, binding)
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
    -- From 0; rises when a match is judged anew, because an operator asked for it or an earlier judgement was cancelled.
    judgement integer NOT NULL DEFAULT 0,
    -- The flow that measured it: its output holds the report.
    job_key   text    NOT NULL DEFAULT '',
    PRIMARY KEY (round, matrix, left_side, right_side)
);

-- What the result of a match was judged on: the digest of both sides' modules and pictures.
CREATE TABLE match_shown (
    round        integer NOT NULL,
    matrix       text    NOT NULL CHECK (matrix IN ('matches', 'audits')),
    left_side    text    NOT NULL,
    right_side   text    NOT NULL,
    shown_sha256 text    NOT NULL,
    job_key      text    NOT NULL,
    score        integer NOT NULL,
    margin       double precision NOT NULL,
    PRIMARY KEY (round, matrix, left_side, right_side)
);

-- Results that lost their ground because a side shows other pictures now.
CREATE TABLE superseded_pictures (
    round        integer NOT NULL,
    matrix       text    NOT NULL,
    left_side    text    NOT NULL,
    right_side   text    NOT NULL,
    shown_sha256 text    NOT NULL,
    job_key      text    NOT NULL,
    score        integer NOT NULL,
    margin       double precision NOT NULL,
    superseded_at timestamptz NOT NULL DEFAULT now(),
    -- Whether it is in the ledger.
    published    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (round, matrix, left_side, right_side, shown_sha256)
);

-- Later measurements of matches near a threshold. They are published beside the first, which alone counts.
CREATE TABLE repeated_match (
    round     integer NOT NULL,
    matrix    text    NOT NULL CHECK (matrix IN ('matches', 'audits')),
    left_side text    NOT NULL,
    right_side text   NOT NULL,
    judgement integer NOT NULL,
    -- From 1: the first measurement is in `match_result`.
    run       integer NOT NULL CHECK (run > 0),
    score     integer NOT NULL,
    margin    double precision NOT NULL CHECK (margin BETWEEN -1 AND 1),
    duels     integer NOT NULL,
    job_key   text    NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    published boolean NOT NULL DEFAULT false,
    PRIMARY KEY (round, matrix, left_side, right_side, judgement, run)
);

-- Results that an operator had judged again; published under `ledger/superseded/`.
CREATE TABLE superseded_match (
    round     integer NOT NULL,
    matrix    text    NOT NULL CHECK (matrix IN ('matches', 'audits')),
    left_side text    NOT NULL,
    right_side text   NOT NULL,
    judgement integer NOT NULL,
    score     integer NOT NULL,
    margin    double precision NOT NULL,
    duels     integer NOT NULL,
    job_key   text    NOT NULL,
    operator  text    NOT NULL,
    reason    text    NOT NULL CHECK (reason <> ''),
    superseded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (round, matrix, left_side, right_side, judgement)
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

-- What people are told, in order. A row is written with the fact it tells; git-sync sends it when the repository shows that fact.
CREATE TABLE notice (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- None for what concerns no round.
    round        integer,
    -- What it is about. The same words are not said twice in a row about one subject.
    subject      text    NOT NULL,
    text         jsonb   NOT NULL,
    -- Whether it waits until everything that was committed by then is in the repository.
    after_mirror boolean NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    sent_at      timestamptz,
    -- It was refused, or could not be sent for too long.
    given_up_at      timestamptz,
    given_up_because text,
    CHECK (sent_at IS NULL OR given_up_at IS NULL),
    CHECK ((given_up_at IS NULL) = (given_up_because IS NULL))
);
CREATE INDEX notice_subject ON notice (round, subject, id DESC);
CREATE INDEX notice_unsent ON notice (id) WHERE sent_at IS NULL AND given_up_at IS NULL;
