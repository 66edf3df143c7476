//! The real client against peers that are no nodes, and the words of this module.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures::StreamExt;
use tokio::time::timeout;
use url::Url;

use super::*;
use crate::clients::testing::{Raw, serve_raw, unused_address};

fn websocket(mut url: Url) -> Url {
    url.set_scheme("ws").unwrap();
    url
}

fn chain(endpoints: Vec<Url>) -> SubxtChain {
    SubxtChain::new(ChainSettings {
        endpoints,
        connect_timeout: Duration::from_millis(300),
        call_timeout: Duration::from_secs(5),
        silence_timeout: Duration::from_secs(5),
    })
}

#[tokio::test]
async fn every_node_that_failed_is_named_with_what_it_did() {
    let absent = websocket(unused_address().await);
    let silent = websocket(serve_raw(Raw::Silent).await);
    let garbage = websocket(serve_raw(Raw::Then(b"HTTP/1.1 200 OK\r\n\r\nno websocket")).await);
    let chain = chain(vec![absent.clone(), silent.clone(), garbage.clone()]);
    let error = timeout(Duration::from_secs(10), chain.head())
        .await
        .unwrap()
        .unwrap_err();
    let text = error.to_string();
    for node in [absent, silent, garbage] {
        let name = format!("ws://127.0.0.1:{}", node.port().unwrap());
        assert!(text.contains(&name), "{name} is not in {text}");
    }
    let ChainError::Failed { failures, .. } = error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(failures[0].1, EndpointError::Connect(_)),
        "{failures:?}"
    );
    assert!(
        matches!(failures[1].1, EndpointError::ConnectTimeout(_)),
        "{failures:?}"
    );
    assert!(
        matches!(failures[2].1, EndpointError::Connect(_)),
        "{failures:?}"
    );
}

#[tokio::test]
async fn without_nodes_the_setting_is_named() {
    let error = chain(Vec::new()).head().await.unwrap_err();
    assert!(error.to_string().contains("SUBTENSOR_NETWORK"), "{error}");
}

#[tokio::test]
async fn a_key_in_a_nodes_address_is_not_shown() {
    let mut node = websocket(unused_address().await);
    node.set_path("/v1/secret-key");
    node.set_username("secret-user").unwrap();
    let error = chain(vec![node]).head().await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_coldkey_that_is_no_address_asks_nobody() {
    let chain = chain(vec![websocket(unused_address().await)]);
    let error = chain
        .coldkey_lock(&Coldkey("5Gg".to_owned()), 17, BlockHash([0; 32]))
        .await
        .unwrap_err();
    assert!(matches!(error, ChainError::BadAccount { .. }), "{error:?}");
}

#[tokio::test]
async fn the_fake_chain_moves_when_told_to() {
    let chain = FakeChain::at(BlockNumber(5));
    let mut heads = chain.heads();
    assert_eq!(heads.next().await, Some(BlockNumber(5)));
    assert!(matches!(
        chain.block_hash(BlockNumber(6)).await,
        Err(ChainError::NotFinal { .. })
    ));
    chain.advance_to(BlockNumber(9));
    assert_eq!(heads.next().await, Some(BlockNumber(9)));
    assert_eq!(
        chain.head().await.unwrap().hash,
        chain.block_hash(BlockNumber(9)).await.unwrap()
    );
}

#[test]
fn a_block_hash_reads_as_it_is_written() {
    let hash = BlockHash([0xab; 32]);
    let text = format!("0x{}", "ab".repeat(32));
    assert_eq!(serde_json::to_value(hash).unwrap(), serde_json::json!(text));
    assert_eq!(text.parse(), Ok(hash));
    for bad in ["", "0x", "0xab", "zz"] {
        assert!(bad.parse::<BlockHash>().is_err(), "{bad}");
    }
}
