//! `chain_…`: hashes, headers and blocks.

use chain_metadata::H256;
use jsonrpsee::server::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;

use super::Table;
use crate::answer::{Answer, Reply, invalid_params};
use crate::chain::Block;
use crate::faults::HashFault;
use crate::shared::Shared;

/// A block number as a JSON number or as hex text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Hex(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(Number),
    Many(Vec<Number>),
}

impl Number {
    fn get(&self) -> Result<u32, ErrorObjectOwned> {
        let (number, shown) = match self {
            Number::Plain(number) => (Some(*number), number.to_string()),
            Number::Hex(text) => {
                let digits = text.strip_prefix("0x");
                let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                (number, text.clone())
            }
        };
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| invalid_params(format!("`{shown}` is no block number of 32 bits")))
    }
}

pub(super) fn register(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.method(
        &["chain_getBlockHash", "chain_getHead"],
        |shared, arguments| match arguments.optional::<Numbers>()? {
            None => Ok(shared
                .best()
                .map_or(Answer::Null, |block| hash_of(shared, &block))),
            Some(Numbers::One(number)) => hash_at(shared, &number),
            Some(Numbers::Many(numbers)) => numbers
                .iter()
                .map(|number| hash_at(shared, number))
                .collect::<Result<_, _>>()
                .map(Answer::List),
        },
    )?;
    table.method(
        &["chain_getFinalizedHead", "chain_getFinalisedHead"],
        |shared, _| {
            Ok(shared
                .finalized()
                .map_or(Answer::Null, |block| hash_of(shared, &block)))
        },
    )?;
    table.method(&["chain_getHeader"], |shared, arguments| {
        let header =
            block_at(shared, arguments.optional()?).and_then(|block| shared.chain.header(&block));
        Ok(header.map_or(Answer::Null, Answer::Header))
    })?;
    table.method(&["chain_getBlock"], |shared, arguments| {
        let found = block_at(shared, arguments.optional()?).and_then(|block| {
            let header = shared.chain.header(&block)?;
            Some(Answer::Block(header, shared.chain.body(&block)?))
        });
        Ok(found.unwrap_or(Answer::Null))
    })
}

/// The block of a hash, `None` when unknown; without a hash the best one.
fn block_at(shared: &Shared, hash: Option<H256>) -> Option<Block> {
    match hash {
        Some(hash) => shared.find(&hash),
        None => shared.best(),
    }
}

fn hash_at(shared: &Shared, number: &Number) -> Reply {
    let Some(block) = shared.at(number.get()?) else {
        return Ok(Answer::Null);
    };
    Ok(match shared.settings().hash {
        HashFault::Null if block.number > 0 => Answer::Null,
        HashFault::Zero if block.number > 0 => Answer::hash(H256::ZERO),
        _ => hash_of(shared, &block),
    })
}

fn hash_of(shared: &Shared, block: &Block) -> Answer {
    let genesis = shared.settings().genesis;
    match genesis {
        Some(hash) if block.number == 0 => Answer::hash(hash),
        _ => Answer::hash(block.hash),
    }
}
