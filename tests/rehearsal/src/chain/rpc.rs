//! The node's JSON-RPC: the methods subxt's legacy backend asks for, and those people ask by hand.

use std::sync::Arc;

use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::server::{Server, ServerConfig, stop_channel};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{PendingSubscriptionSink, RpcModule, SubscriptionMessage};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::headers::{Hash, Header};
use super::node::Node;
use super::runtime;
use crate::faults::{Fault, Service};
use crate::http::{Door, serve};

/// A page of 1000 keys with values of ten reveals each stays well below this.
const LARGEST_RESPONSE_BYTES: u32 = 64 * 1024 * 1024;
const MOST_KEYS_IN_A_PAGE: usize = 1000;
/// Substrate's code for errors of the client, such as an unknown block.
const CLIENT_ERROR: i32 = 4003;

/// Serves the node on `listener` until the door's `stop`.
pub(crate) async fn serve_chain(
    listener: TcpListener,
    door: Door,
    node: Arc<Node>,
) -> anyhow::Result<()> {
    let config = ServerConfig::builder()
        .max_response_body_size(LARGEST_RESPONSE_BYTES)
        .build();
    let builder = Server::builder().set_config(config).to_service_builder();
    let methods: jsonrpsee::Methods = module(node)?.into();
    // The handle is kept to the end: dropping it would stop every connection.
    let (stop, _handle) = stop_channel();
    let service = tower::service_fn(move |request: axum::http::Request<axum::body::Body>| {
        let mut service = builder.clone().build(methods.clone(), stop.clone());
        async move { tower::Service::call(&mut service, request).await }
    });
    serve(listener, door, service).await;
    Ok(())
}

fn module(node: Arc<Node>) -> anyhow::Result<RpcModule<Node>> {
    let mut module = RpcModule::from_arc(node);

    method(&mut module, "chain_getBlockHash", |node, params| {
        let block = match params.sequence().optional_next::<BlockParam>()? {
            Some(BlockParam::Number(number)) => number,
            Some(BlockParam::Hex(text)) => {
                u32::from_str_radix(text.trim_start_matches("0x"), 16)
                    .map_err(|_| invalid(format!("`{text}` is no block number")))?
            }
            None => node.clock.current(),
        };
        Ok(node
            .hash(block)
            .map_or(Value::Null, |hash| json!(to_hex(&hash))))
    })?;
    for name in ["chain_getFinalizedHead", "chain_getHead"] {
        method(&mut module, name, |node, _| {
            Ok(node
                .hash(node.clock.current())
                .map_or(Value::Null, |hash| json!(to_hex(&hash))))
        })?;
    }
    method(&mut module, "chain_getHeader", |node, params| {
        let block = node.block_of(hash_param(&mut params.sequence())?);
        Ok(block
            .and_then(|block| node.header(block))
            .map_or(Value::Null, |header| header_json(&header)))
    })?;
    method(&mut module, "chain_getBlock", |node, params| {
        let block = node.block_of(hash_param(&mut params.sequence())?);
        Ok(block.and_then(|block| node.header(block)).map_or(
            Value::Null,
            |header| json!({"block": {"header": header_json(&header), "extrinsics": []}, "justifications": null}),
        ))
    })?;

    method(&mut module, "state_call", |node, params| {
        let mut params = params.sequence();
        let name: String = params.next()?;
        let arguments = params
            .optional_next::<String>()?
            .map_or(Ok(Vec::new()), |text| from_hex(&text))?;
        let block = known_block(node, hash_param(&mut params)?)?;
        let answer = runtime::call(node, &name, &arguments, block).map_err(|message| {
            ErrorObjectOwned::owned(CLIENT_ERROR, format!("Client error: {message}"), None::<()>)
        })?;
        Ok(json!(to_hex(&answer)))
    })?;
    method(&mut module, "state_getMetadata", |_, _| {
        Ok(json!(to_hex(&runtime::metadata())))
    })?;
    method(&mut module, "state_getRuntimeVersion", |_, _| {
        Ok(runtime_version())
    })?;
    for name in ["state_getStorage", "state_getStorageAt"] {
        method(&mut module, name, |node, params| {
            let mut params = params.sequence();
            let key = from_hex(&params.next::<String>()?)?;
            let storage = node.storage(known_block(node, hash_param(&mut params)?)?);
            Ok(storage
                .get(&key)
                .map_or(Value::Null, |value| json!(to_hex(value))))
        })?;
    }
    method(&mut module, "state_getKeysPaged", |node, params| {
        let mut params = params.sequence();
        let prefix = from_hex(&params.next::<String>()?)?;
        let count = params.next::<usize>()?.min(MOST_KEYS_IN_A_PAGE);
        let start = params
            .optional_next::<String>()?
            .map(|text| from_hex(&text))
            .transpose()?;
        let storage = node.storage(known_block(node, hash_param(&mut params)?)?);
        let keys: Vec<String> = storage
            .range(prefix.clone()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&prefix))
            .filter(|key| start.as_ref().is_none_or(|start| *key > start))
            .take(count)
            .map(|key| to_hex(key))
            .collect();
        Ok(json!(keys))
    })?;
    method(&mut module, "state_queryStorageAt", |node, params| {
        let mut params = params.sequence();
        let keys: Vec<String> = params.next()?;
        let block = known_block(node, hash_param(&mut params)?)?;
        let storage = node.storage(block);
        let mut changes = Vec::with_capacity(keys.len());
        for key in keys {
            let value = storage.get(&from_hex(&key)?).map(|value| to_hex(value));
            changes.push(json!([key, value]));
        }
        Ok(json!([{"block": node.hash(block).map(|hash| to_hex(&hash)), "changes": changes}]))
    })?;

    method(&mut module, "system_chain", |_, _| {
        Ok(json!("Assize Rehearsal"))
    })?;
    method(&mut module, "system_name", |_, _| {
        Ok(json!("Assize rehearsal node"))
    })?;
    method(&mut module, "system_version", |_, _| {
        Ok(json!(env!("CARGO_PKG_VERSION")))
    })?;
    method(&mut module, "system_health", |_, _| {
        Ok(json!({"peers": 0, "isSyncing": false, "shouldHavePeers": false}))
    })?;
    method(&mut module, "system_properties", |_, _| {
        Ok(json!({"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO"}))
    })?;
    for name in ["author_submitExtrinsic", "author_submitAndWatchExtrinsic"] {
        method(&mut module, name, |_, _| {
            Err(ErrorObjectOwned::owned(
                1010,
                "the rehearsal chain takes no extrinsics",
                None::<()>,
            ))
        })?;
    }

    subscription(
        &mut module,
        "chain_subscribeNewHeads",
        "chain_newHead",
        "chain_unsubscribeNewHeads",
    )?;
    subscription(
        &mut module,
        "chain_subscribeAllHeads",
        "chain_allHead",
        "chain_unsubscribeAllHeads",
    )?;
    subscription(
        &mut module,
        "chain_subscribeFinalizedHeads",
        "chain_finalizedHead",
        "chain_unsubscribeFinalizedHeads",
    )?;

    let mut names: Vec<&'static str> = module.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    method(&mut module, "rpc_methods", move |_, _| {
        Ok(json!({"methods": names}))
    })?;
    Ok(module)
}

/// Registers a method that suffers the faults injected for the chain, its name being the path.
fn method(
    module: &mut RpcModule<Node>,
    name: &'static str,
    answer: impl Fn(&Node, &Params<'static>) -> RpcResult<Value> + Send + Sync + Clone + 'static,
) -> anyhow::Result<()> {
    module.register_async_method(name, move |params, node, _| {
        let answer = answer.clone();
        async move {
            let strike = node.faults.strike(Service::Chain, name);
            if !strike.delay.is_zero() {
                tokio::time::sleep(strike.delay).await;
            }
            match strike.fault {
                None | Some(Fault::Slow(_)) => answer(&node, &params),
                Some(Fault::Garbage | Fault::Truncated) => Ok(json!("0xdeadbeef")),
                Some(fault) => Err(ErrorObjectOwned::owned(
                    -32603,
                    format!("Internal error: injected {fault:?}"),
                    None::<()>,
                )),
            }
        }
    })?;
    Ok(())
}

/// Registers a subscription that sends the header of every block, from the newest on.
fn subscription(
    module: &mut RpcModule<Node>,
    subscribe: &'static str,
    notification: &'static str,
    unsubscribe: &'static str,
) -> anyhow::Result<()> {
    module.register_subscription(
        subscribe,
        notification,
        unsubscribe,
        |_, pending, node, _| send_headers(pending, node),
    )?;
    Ok(())
}

async fn send_headers(pending: PendingSubscriptionSink, node: Arc<Node>) -> SubscriptionResult {
    let mut blocks = node.clock.watch();
    let mut next = *blocks.borrow_and_update();
    let sink = pending.accept().await?;
    loop {
        let newest = *blocks.borrow_and_update();
        while next <= newest {
            if let Some(header) = node.header(next) {
                let text = serde_json::value::to_raw_value(&header_json(&header))?;
                sink.send(SubscriptionMessage::from(text)).await?;
            }
            next += 1;
        }
        tokio::select! {
            () = sink.closed() => return Ok(()),
            changed = blocks.changed() => changed?,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BlockParam {
    Number(u32),
    Hex(String),
}

fn hash_param(params: &mut jsonrpsee::types::ParamsSequence<'_>) -> RpcResult<Option<Hash>> {
    let Some(text) = params.optional_next::<String>()? else {
        return Ok(None);
    };
    let bytes = from_hex(&text)?;
    bytes
        .try_into()
        .map(Some)
        .map_err(|_| invalid(format!("`{text}` is no block hash")))
}

fn known_block(node: &Node, hash: Option<Hash>) -> RpcResult<u32> {
    node.block_of(hash).ok_or_else(|| {
        let hash = hash.map(|hash| to_hex(&hash)).unwrap_or_default();
        let message = format!("Client error: UnknownBlock: State already discarded for {hash}");
        ErrorObjectOwned::owned(CLIENT_ERROR, message, None::<()>)
    })
}

fn invalid(message: String) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(
        jsonrpsee::types::error::INVALID_PARAMS_CODE,
        message,
        None::<()>,
    )
}

fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn from_hex(text: &str) -> RpcResult<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text))
        .map_err(|_| invalid(format!("`{text}` is no hex")))
}

fn header_json(header: &Header) -> Value {
    json!({
        "parentHash": to_hex(&header.parent_hash),
        "number": format!("{:#x}", header.number),
        "stateRoot": to_hex(&header.state_root),
        "extrinsicsRoot": to_hex(&header.extrinsics_root),
        "digest": {"logs": []},
    })
}

fn runtime_version() -> Value {
    json!({
        "specName": "node-subtensor",
        "implName": "node-subtensor",
        "authoringVersion": 1,
        "specVersion": runtime::SPEC_VERSION,
        "implVersion": 1,
        "apis": [],
        "transactionVersion": runtime::TRANSACTION_VERSION,
        "stateVersion": 1,
    })
}
