//! Pools whose connections never carry somebody else's transaction.

use sqlx::postgres::PgPoolOptions;

/// Options of every pool of ours.
///
/// A future that is dropped while its `BEGIN` is on the way (a handler past its deadline, a browser that went away) leaves its
/// connection in a transaction that the driver does not know of. Whoever got the connection next would write into it, be told
/// that all went well, and nothing would ever be committed. So a connection ends whatever it may be in before anybody else has
/// it; that is one round trip each time.
pub fn pool_options() -> PgPoolOptions {
    #[expect(clippy::disallowed_methods, reason = "here they are made")]
    PgPoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            // Where nothing is open, the one opens what the other ends, so that neither warns.
            sqlx::raw_sql("BEGIN; ROLLBACK").execute(connection).await?;
            Ok(true)
        })
    })
}
