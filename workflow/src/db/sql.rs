//! Pieces of SQL that several statements share.

/// From the CTEs `ended (id, parent_id, wakes, join_id, queue, state)`, jobs whose state was just set, and
/// `locked (id, queue, state)`, the rows that the statement locked before: tells the flows that wait for them, and gathers in
/// `notices (queue)` where workers should look.
///
/// - The row of a flow that ends in the same statement is left alone: it runs again anyway, or never.
/// - A locked row that was available has perhaps been skipped by a claim: somebody has to look again.
/// - The end of a job may have made room in a queue with a capacity.
macro_rules! tell_flows {
    () => {
        "final AS (
             SELECT * FROM ended WHERE state IN ('completed', 'failed', 'cancelled')
         ), counted AS (
             UPDATE open_join SET open = open_join.open - e.n
             FROM (SELECT parent_id, join_id, count(*)::int AS n FROM final WHERE wakes = 'last' GROUP BY parent_id, join_id) e
             WHERE open_join.flow_id = e.parent_id AND open_join.join_id = e.join_id
             RETURNING open_join.flow_id, e.n, open_join.open
         ), shared AS (
             UPDATE shared_job SET told = true FROM final WHERE shared_job.job_id = final.id RETURNING shared_job.flow_id
         ), told AS (
             SELECT id, sum(n)::int AS n, bool_or(wake) AS wake FROM (
                 SELECT parent_id AS id, 0 AS n, true AS wake FROM final WHERE wakes = 'each' AND parent_id IS NOT NULL
                 UNION ALL SELECT flow_id, n, open <= 0 FROM counted
                 UNION ALL SELECT flow_id, 0, true FROM shared) t
             WHERE id NOT IN (SELECT ended.id FROM ended) GROUP BY id
         ), woken AS (
             UPDATE job SET joining = greatest(job.joining - told.n, 0), woken = job.woken OR told.wake,
                    state = CASE WHEN told.wake AND job.state = 'waiting' THEN 'available' ELSE job.state END
             FROM told WHERE job.id = told.id AND job.finished_at IS NULL
             RETURNING job.queue, job.state
         ), notices AS (
             SELECT queue FROM woken WHERE state = 'available'
             UNION SELECT queue FROM ended WHERE state = 'available'
             UNION SELECT queue FROM locked WHERE state = 'available'
             UNION SELECT queue.name FROM queue JOIN ended ON ended.queue = queue.name WHERE queue.capacity IS NOT NULL
         )"
    };
}

/// Notifies the workers of a CTE `(queue)`, at most once; an expression.
macro_rules! notify {
    ($notices:literal) => {
        concat!(
            "(SELECT pg_notify('assize_job', string_agg(DISTINCT queue, ','))::text FROM ",
            $notices,
            " HAVING count(*) > 0)"
        )
    };
}

pub(crate) use {notify, tell_flows};
