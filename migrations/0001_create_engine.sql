-- The engine: jobs, their attempts, workers, resources, events, and the outbox of the public state.
--
-- Lock order, everywhere: limited queues by name (claims only), then rows of `job` in ascending id (a batch locks the jobs it
-- ends and the flows it tells in one statement), then every other table. Claims and sweeps skip locked rows, so they never wait.

-- Every statement of the engine is short. Compiling one takes longer than running it, whatever the planner thinks of its cost.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'jit stays as it is: this role does not own the database';
END
$$;

CREATE TABLE worker (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text        NOT NULL,
    host             text        NOT NULL,
    pid              integer     NOT NULL,
    queues           text[]      NOT NULL,
    state            text        NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'lost', 'stopped')),
    started_at       timestamptz NOT NULL DEFAULT now(),
    heartbeat_at     timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz NOT NULL
);
CREATE INDEX worker_live ON worker (lease_expires_at) WHERE state = 'live';
COMMENT ON TABLE worker IS 'One row a worker process life. A claim is held by the lease of the worker that made it.';

-- A resource shared by all replicas: at most `capacity` jobs of the queue run at once, at most `rate_per_second` start in a
-- second. What runs is counted from `job`, so a slot is freed by whatever ends or frees the job, an expired lease included.
CREATE TABLE queue (
    name            text PRIMARY KEY,
    paused          boolean NOT NULL DEFAULT false,
    capacity        integer CHECK (capacity >= 0),
    rate_per_second double precision CHECK (rate_per_second > 0),
    -- Token bucket of the rate limit, refilled when it is asked.
    tokens          double precision NOT NULL DEFAULT 0,
    refilled_at     timestamptz NOT NULL DEFAULT now(),
    -- Why what the jobs need is out of service, since when, and until when nobody tries. Then one job at a time does.
    outage          text,
    outage_since    timestamptz,
    outage_until    timestamptz,
    CHECK ((outage IS NULL) = (outage_since IS NULL) AND (outage IS NULL) = (outage_until IS NULL))
);
COMMENT ON TABLE queue IS 'Only queues with a limit, a pause or an outage have a row.';

CREATE TABLE job (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- `flow`: a durable function; `step`: one named unit of outside work; `wait`: a moment, an event or a block.
    kind          text        NOT NULL CHECK (kind IN ('flow', 'step', 'wait')),
    name          text        NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    key           text        NOT NULL UNIQUE,
    -- Not a foreign key: the check would share-lock the parent's hot row on every insert.
    parent_id     bigint,
    round         integer,
    queue         text        NOT NULL,
    priority      smallint    NOT NULL DEFAULT 100,
    fair_key      text,
    fair_rank     bigint      NOT NULL DEFAULT 0,
    state         text        NOT NULL CHECK (state IN
                      ('available', 'scheduled', 'running', 'waiting', 'paused', 'parked', 'completed', 'failed', 'cancelled')),
    run_at        timestamptz NOT NULL DEFAULT now(),
    -- Rises by one at every claim and fences the writes of older ones.
    attempt       integer     NOT NULL DEFAULT 0,
    failures      smallint    NOT NULL DEFAULT 0,
    max_failures  smallint    NOT NULL DEFAULT 10,
    claimed_by    bigint,
    claimed_at    timestamptz,
    -- What the end of this job does to its parent: wake it, count down the join it belongs to, or nothing.
    wakes         text        NOT NULL DEFAULT 'each' CHECK (wakes IN ('each', 'last', 'none')),
    join_id       bigint,
    -- Of a flow: children of its joins that have not ended; a wake-up that came while it ran.
    joining       integer     NOT NULL DEFAULT 0,
    woken         boolean     NOT NULL DEFAULT false,
    -- Of a wait: the event or the block it waits for (a moment is `run_at`).
    wait_event    text,
    wait_block    bigint,
    input         jsonb       NOT NULL,
    output        jsonb,
    error         text,
    trace         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    CHECK ((finished_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))),
    CHECK (state <> 'running' OR claimed_by IS NOT NULL),
    CHECK ((wakes = 'last') = (join_id IS NOT NULL)),
    CHECK (kind = 'wait' OR (wait_event IS NULL AND wait_block IS NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000,
        autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX job_available ON job (queue, priority, fair_rank, id) WHERE state = 'available';
CREATE INDEX job_scheduled ON job (run_at) WHERE state = 'scheduled';
CREATE INDEX job_running ON job (claimed_by) WHERE state = 'running';
CREATE INDEX job_parent ON job (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX job_round ON job (round, name) WHERE round IS NOT NULL;
CREATE INDEX job_unfinished ON job (state, id) WHERE state IN ('paused', 'parked', 'failed');
CREATE INDEX job_waiting_event ON job (wait_event) WHERE state = 'waiting' AND wait_event IS NOT NULL;
CREATE INDEX job_waiting_block ON job (wait_block) WHERE state = 'waiting' AND wait_block IS NOT NULL;
CREATE INDEX job_fair ON job (queue, fair_key, fair_rank) WHERE state = 'available' AND fair_key IS NOT NULL;

-- One row a join: how many of its children have not ended. Written under the lock of the flow's row.
CREATE TABLE open_join (
    flow_id bigint  NOT NULL,
    join_id bigint  NOT NULL,
    open    integer NOT NULL,
    PRIMARY KEY (flow_id, join_id)
) WITH (fillfactor = 50);

-- A flow that asked for a job which another flow (or nobody) had started: it is told of the end like a parent.
CREATE TABLE shared_job (
    job_id  bigint  NOT NULL,
    flow_id bigint  NOT NULL,
    told    boolean NOT NULL,
    PRIMARY KEY (job_id, flow_id)
);
CREATE INDEX shared_job_flow ON shared_job (flow_id);
CREATE INDEX shared_job_untold ON shared_job (job_id) WHERE NOT told;

-- Work that must not start: jobs that match every column which is set. A job's id or key also stands for all jobs below it.
CREATE TABLE pause (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id     bigint,
    key        text, -- with a trailing `*`: a prefix
    name       text,
    queue      text,
    round      integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(job_id, key, name, queue, round) > 0)
);

CREATE FUNCTION is_paused(target bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up AS (
        SELECT id, parent_id, key, name, queue, round, true AS itself FROM job WHERE id = target
        UNION ALL
        SELECT job.id, job.parent_id, job.key, job.name, job.queue, job.round, false FROM job JOIN up ON job.id = up.parent_id
    )
    SELECT EXISTS (
        SELECT FROM up JOIN pause ON (itself OR pause.job_id IS NOT NULL OR pause.key IS NOT NULL)
            AND (pause.job_id IS NULL OR pause.job_id = up.id)
            AND (pause.key IS NULL OR CASE WHEN right(pause.key, 1) = '*' THEN starts_with(up.key, left(pause.key, -1))
                                           ELSE pause.key = up.key END)
            AND (pause.name IS NULL OR pause.name = up.name)
            AND (pause.queue IS NULL OR pause.queue = up.queue)
            AND (pause.round IS NULL OR pause.round = up.round))
$$;

CREATE TABLE attempt (
    job_id     bigint      NOT NULL,
    attempt    integer     NOT NULL,
    worker_id  bigint,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL DEFAULT now(),
    outcome    text        NOT NULL CHECK (outcome IN
                   ('completed', 'suspended', 'snoozed', 'errored', 'lost', 'released', 'cancelled', 'superseded')),
    error      text,
    trace      text,
    PRIMARY KEY (job_id, attempt)
);
COMMENT ON TABLE attempt IS 'History: one row a try that ended, written by whoever ended it.';

-- First write wins.
CREATE TABLE event (
    name       text PRIMARY KEY,
    payload    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE chain_head (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    block      bigint      NOT NULL,
    hash       text        NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- The outbox: what finished steps change in the public repository. Rows of one step travel in one commit.
CREATE TABLE mirror_file (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      bigint      NOT NULL,
    attempt     integer     NOT NULL,
    step        text        NOT NULL,
    round       integer,
    message     text        NOT NULL,
    urgent      boolean     NOT NULL DEFAULT false,
    path        text        NOT NULL,
    change      text        NOT NULL CHECK (change IN ('put', 'merge_entry', 'matrix_row', 'append_line')),
    content     bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    mirrored_at timestamptz,
    commit_sha  text,
    CHECK ((mirrored_at IS NULL) = (commit_sha IS NULL))
);
CREATE INDEX mirror_file_pending ON mirror_file (id) WHERE mirrored_at IS NULL;
-- How long the last ones took.
CREATE INDEX mirror_file_mirrored ON mirror_file (mirrored_at) WHERE mirrored_at IS NOT NULL;

-- The newest known content of small state files: what people edited and what steps put.
CREATE TABLE state_file (
    path       text PRIMARY KEY,
    content    bytea       NOT NULL,
    origin     text        NOT NULL CHECK (origin IN ('repository', 'step')),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE operator_action (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operator   text        NOT NULL,
    action     text        NOT NULL,
    target     text        NOT NULL,
    reason     text        NOT NULL CHECK (reason <> ''),
    before     jsonb,
    after      jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
