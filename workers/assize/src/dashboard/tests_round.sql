-- A round in DUELS, one before it, and everything that a page can show.

INSERT INTO chain_head (block, hash, seen_at) VALUES (4512345, '0xfeed', now() - interval '4 seconds');

INSERT INTO worker (name, host, pid, queues, state, started_at, heartbeat_at, lease_expires_at) VALUES
    ('worker-1', 'north', 4021, '{flow,download,browser}', 'live', now() - interval '3 hours', now() - interval '2 seconds', now() + interval '28 seconds'),
    ('worker-2', 'north', 4022, '{vlm}', 'live', now() - interval '3 hours', now() - interval '25 seconds', now() + interval '5 seconds'),
    ('worker-0', 'south', 977, '{browser}', 'lost', now() - interval '5 hours', now() - interval '70 minutes', now() - interval '69 minutes');

INSERT INTO queue (name, capacity) VALUES ('vlm', 64);

INSERT INTO round (round, stage, stage_since, waits_for, winner, closed_at) VALUES
    (2, 'closed', now() - interval '2 days', '{}', '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', now() - interval '2 days'),
    (3, 'duels', now() - interval '42 minutes',
     ARRAY['the audit of 5F3sa2…YjQX (regeneration 2 of 3)', '1 parked render'], NULL, NULL);

INSERT INTO submission (round, hotkey, position, repo, commit, cdn_url, revealed_at_block)
SELECT 3, hotkey, position - 1, 'miner-' || position || '/scenes', repeat(position::text, 40),
       'https://cdn-' || position || '.example.org/r3', 4500200 + 6 * position
FROM unnest(ARRAY['5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', '5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy',
                  '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY', '5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw'])
     WITH ORDINALITY AS t(hotkey, position);

-- Eight prompts; two miners are through, one has a rejected module, the last one is still at it.
INSERT INTO entry (round, hotkey, repeat, stem, js, views, failure_reason, size, module_sha256, recorded_at)
SELECT 3, hotkey, 0, stem, 'https://cdn.example.org/' || stem || '.js', 'rounds/3/' || hotkey || '/' || stem, NULL,
       8000 + length(stem) * 911, encode(sha256((hotkey || stem)::bytea), 'hex'), now() - interval '35 minutes'
FROM unnest(ARRAY['leader', '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', '5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy',
                  '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY']) AS hotkey,
     unnest(ARRAY['amber-vase', 'brass-lantern', 'copper-kettle', 'driftwood-chair', 'enamel-mug', 'felt-hat', 'glass-otter', 'jade-teapot']) AS stem
WHERE NOT (hotkey LIKE '5DAA%' AND stem IN ('brass-lantern', 'copper-kettle'))
  AND NOT (hotkey LIKE '5Grwva%' AND stem IN ('felt-hat', 'jade-teapot'));
INSERT INTO entry (round, hotkey, repeat, stem, failure_reason, size, recorded_at) VALUES
    (3, '5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy', 0, 'brass-lantern', 'TIMEOUT_EXCEEDED: the module ran longer than 5 s', 4120, now() - interval '33 minutes'),
    (3, '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY', 0, 'felt-hat', 'not delivered: the server answered 404', 0, now() - interval '36 minutes');
INSERT INTO entry (round, hotkey, repeat, stem, js, views, size, recorded_at)
SELECT 3, '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', 1, stem, 'https://cdn.example.org/' || stem || '.js', 'v', 9100, now() - interval '4 minutes'
FROM unnest(ARRAY['amber-vase', 'brass-lantern', 'copper-kettle', 'driftwood-chair']) AS stem;
INSERT INTO entry (round, hotkey, repeat, stem, js, size, recorded_at)
SELECT 3, '5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw', 0, stem, 'https://cdn.example.org/' || stem || '.js', 9100, now() - interval '1 minute'
FROM unnest(ARRAY['amber-vase', 'brass-lantern', 'copper-kettle']) AS stem;

INSERT INTO job (kind, name, version, key, round, queue, state, input, attempt, created_at)
VALUES ('flow', 'round', 1, 'round/3', 3, 'flow', 'waiting', '{"round": 3}', 14, now() - interval '4 hours');
UPDATE job SET joining = 3 WHERE key = 'round/3';

-- Finished downloads, renders and duels.
INSERT INTO job (kind, name, key, parent_id, round, queue, state, input, output, attempt, claimed_by, claimed_at, created_at, finished_at)
SELECT 'step', step, 'round/3/' || step || '/' || hotkey || '/' || stem, (SELECT id FROM job WHERE key = 'round/3'), 3,
       CASE step WHEN 'render' THEN 'browser' ELSE 'download' END, 'completed',
       CASE step WHEN 'render' THEN jsonb_build_object('entry', jsonb_build_object('round', 3, 'side', hotkey, 'repeat', 0, 'stem', stem))
                 ELSE jsonb_build_object('round', 3, 'hotkey', hotkey, 'stem', stem) END, '{"outcome": "rendered"}', 1, 1,
       now() - interval '37 minutes', now() - interval '40 minutes', now() - interval '36 minutes'
FROM entry, unnest(ARRAY['download', 'render']) AS step WHERE round = 3 AND repeat = 0 AND hotkey <> 'leader' AND (step = 'download' OR views IS NOT NULL);
INSERT INTO job (kind, name, key, parent_id, round, queue, state, input, output, attempt, claimed_by, claimed_at, created_at, finished_at)
SELECT 'step', 'duel', 'round/3/duel/' || n, (SELECT id FROM job WHERE key = 'round/3'), 3, 'vlm', 'completed', '{}', '{}', 1, 2,
       now() - interval '20 minutes', now() - interval '30 minutes', now() - interval '19 minutes'
FROM generate_series(1, 24) n;
INSERT INTO job (kind, name, key, parent_id, round, queue, state, input, attempt, claimed_by, claimed_at, created_at)
SELECT 'step', 'duel', 'round/3/duel/' || n, (SELECT id FROM job WHERE key = 'round/3'), 3, 'vlm',
       CASE WHEN n < 29 THEN 'running' ELSE 'available' END, '{}', 1, CASE WHEN n < 29 THEN 2 END,
       CASE WHEN n < 29 THEN now() - interval '3 seconds' END, now() - interval '30 minutes'
FROM generate_series(25, 40) n;

-- What is unfinished in the grid.
INSERT INTO job (kind, name, key, parent_id, round, queue, state, input, attempt, failures, max_failures, claimed_by, claimed_at, run_at, error, created_at)
VALUES
    ('step', 'render', 'round/3/render/5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy/copper-kettle', (SELECT id FROM job WHERE key = 'round/3'), 3, 'browser', 'parked',
     '{"entry": {"round": 3, "side": "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy", "repeat": 0, "stem": "copper-kettle"}}', 8, 8, 8, NULL, now() - interval '9 minutes', now(),
     E'cannot reach the renderer at http://render:8000\ncaused by: connection refused (os error 111)', now() - interval '40 minutes'),
    ('step', 'render', 'round/3/render/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/jade-teapot', (SELECT id FROM job WHERE key = 'round/3'), 3, 'browser', 'running',
     '{"entry": {"round": 3, "side": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "repeat": 0, "stem": "jade-teapot"}}', 1, 0, 8, 1, now() - interval '6 seconds', now(), NULL, now() - interval '40 minutes'),
    ('step', 'render', 'round/3/render/5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw/brass-lantern', (SELECT id FROM job WHERE key = 'round/3'), 3, 'browser', 'scheduled',
     '{"entry": {"round": 3, "side": "5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw", "repeat": 0, "stem": "brass-lantern"}}', 2, 2, 8, NULL, now() - interval '20 seconds', now() + interval '11 seconds',
     'the renderer answered 503', now() - interval '3 minutes'),
    ('step', 'download', 'round/3/download/5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw/driftwood-chair', (SELECT id FROM job WHERE key = 'round/3'), 3, 'download', 'available',
     '{"round": 3, "hotkey": "5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw", "stem": "driftwood-chair"}', 0, 0, 8, NULL, NULL, now() - interval '14 seconds', NULL, now() - interval '3 minutes');

INSERT INTO attempt (job_id, attempt, worker_id, started_at, ended_at, outcome, error)
SELECT (SELECT id FROM job WHERE state = 'parked'), n, CASE WHEN n < 3 THEN 3 ELSE 1 END,
       now() - interval '30 minutes' + n * interval '150 seconds', now() - interval '30 minutes' + n * interval '150 seconds' + interval '1.2 seconds',
       CASE WHEN n = 2 THEN 'lost' ELSE 'errored' END,
       CASE WHEN n = 2 THEN 'the worker stopped answering and lost its lease'
            ELSE E'cannot reach the renderer at http://render:8000\ncaused by: connection refused (os error 111)' END
FROM generate_series(1, 8) n;

INSERT INTO match_result (round, matrix, left_side, right_side, score, margin, duels, recorded_at) VALUES
    (3, 'matches', 'leader', '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', 1, 0.125, 8, now() - interval '21 minutes'),
    (3, 'matches', 'leader', '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY', -3, -0.375, 8, now() - interval '18 minutes'),
    (3, 'audits', 'submitted_1', 'regenerated_1', 0, 0.0, 8, now() - interval '2 minutes');
INSERT INTO build (round, hotkey, status, docker_image) VALUES
    (3, '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', 'success', 'ghcr.io/miner-1/scenes@sha256:9f3c1d'),
    (3, '5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY', 'in_progress', NULL);
INSERT INTO generation_report (round, hotkey, outcome, repeats) VALUES
    (3, '5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX', 'pending', '[]');

INSERT INTO mirror_file (job_id, attempt, step, round, message, path, change, content, created_at)
VALUES (1, 1, 'duel', 3, 'Round 3: match', 'rounds/3/matches_matrix.csv', 'matrix_row', '', now() - interval '1 second');

ANALYZE;
