//! The smallest pod: what a miner's own container looks like. Replace `ExampleGenerator` by a generator of your own.
//!
//! `cargo run -p miner --example pod` listens on 0.0.0.0:10006, or on the address given as the only argument.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let address = match std::env::args()
        .nth(1)
        .map(|text| text.parse::<SocketAddr>())
    {
        None => SocketAddr::from((Ipv4Addr::UNSPECIFIED, miner::POD_PORT)),
        Some(Ok(address)) => address,
        Some(Err(_)) => {
            eprintln!("The argument must be an address with a port, for example 0.0.0.0:10006.");
            return ExitCode::from(2);
        }
    };
    match miner::serve(address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
