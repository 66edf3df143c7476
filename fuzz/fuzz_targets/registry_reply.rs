#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| assize::parsers::registry_reply(data));
