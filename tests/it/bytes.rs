//! What lies on disk after a few blocks, byte for byte.
//!
//! A difference here is a change of the disk format: raise `FORMAT_VERSION`, read
//! the difference, then write the snapshot again with `INSTA_UPDATE=always`.

use std::fmt::Write as _;
use std::sync::Arc;

use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::store::engine::Range;
use indexer::store::tables::{ALL, FORMAT_VERSION};

use crate::context::{index, recording};

/// Long values by their beginning, length and hash.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 40 {
        return hex::encode(bytes);
    }
    let hash = chain_metadata::blake2_256(bytes).to_string();
    format!(
        "{}… {} bytes {}",
        hex::encode(&bytes[..16]),
        bytes.len(),
        &hash[..18]
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_after_four_blocks() {
    let store = Store::in_memory().unwrap();
    let source = RecordingSource(recording("upgrades"));
    index(Arc::new(source), &store, 4).await.unwrap();
    let mut out = format!("format {FORMAT_VERSION}\n");
    for table in ALL {
        writeln!(out, "\n{}", table.name()).unwrap();
        for row in store.engine().scan(Range::prefix(&table.key(&[]))) {
            let (key, value) = row.unwrap();
            writeln!(out, "{} = {}", hex::encode(&key[1..]), shown(&value)).unwrap();
        }
    }
    insta::assert_snapshot!("tables_after_four_blocks", out);
}
