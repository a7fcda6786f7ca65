//! Accounts, and the ways to them.

use serde_json::{Value, json};

use crate::fake::{Fake, account};
use crate::http::start;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_what_it_is_at_a_block() {
    let server = start(Fake::new()).await;
    let (hotkey, coldkey) = (account(2), account(52));
    let data = server
        .data(&format!(
            "{{ account(address: \"{hotkey}\", asOf: {{ block: 14 }}) {{ address publicKey asOfBlock
                 owner {{ address owner {{ address }} ownedHotkeys {{ totalCount nodes {{ address }} }} }}
                 ownedHotkeys {{ totalCount }}
                 memberships {{ netuid uid subnet {{ stamp {{ block }} }} neuron {{ uid stamp {{ block }} }}
                   tenancy {{ uid }} tenancies {{ nodes {{ uid }} }} weightChanges {{ nodes {{ blockNumber entryCount }} }} }}
                 stakeOnIt(netuid: 2, first: 1) {{ totalCount nodes {{ hotkey netuid asOfBlock }} }}
                 stakeHeld(first: 1) {{ totalCount }}
                 stakeMovements(role: HOTKEY, first: 1) {{ nodes {{ id }} }}
                 commits(first: 1) {{ nodes {{ id asOfBlock account {{ address }} }} }}
                 extrinsics(first: 2) {{ nodes {{ extrinsic {{ blockNumber }} }} }}
                 events(name: \"WeightsSet\", first: 2) {{ nodes {{ blockNumber }} }} }} }}"
        ))
        .await;
    let found = &data["account"];
    assert_eq!(found["address"], hotkey.to_string());
    assert_eq!(found["publicKey"], format!("0x{}", "02".repeat(32)));
    assert_eq!(found["asOfBlock"], 14);
    assert_eq!(
        found["owner"],
        json!({ "address": coldkey.to_string(), "owner": null,
                "ownedHotkeys": { "totalCount": 3, "nodes": [
                    { "address": hotkey.to_string() }, { "address": account(7).to_string() },
                    { "address": account(8).to_string() } ] } })
    );
    assert_eq!(found["ownedHotkeys"]["totalCount"], 0);
    // It has left subnet 0.
    let members = found["memberships"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(
        (&members[0]["uid"], &members[0]["neuron"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(members[0]["weightChanges"], Value::Null);
    assert_eq!(
        members[1]["neuron"],
        json!({ "uid": 2, "stamp": { "block": 14 } })
    );
    assert_eq!(members[1]["subnet"]["stamp"]["block"], 14);
    assert_eq!(members[1]["tenancy"]["uid"], 2);
    assert_eq!(
        members[2]["weightChanges"]["nodes"],
        json!([{ "blockNumber": 12, "entryCount": 2 }])
    );
    assert_eq!(found["stakeOnIt"]["nodes"][0]["asOfBlock"], 14);
    assert_eq!(found["stakeOnIt"]["nodes"][0]["hotkey"], hotkey.to_string());
    assert_eq!(found["stakeHeld"]["totalCount"], 5);
    assert_eq!(found["stakeMovements"]["nodes"][0]["id"], "14-1");
    assert_eq!(found["commits"]["nodes"][0]["asOfBlock"], 14);
    // Nothing above the block is shown.
    for one in found["events"]["nodes"].as_array().unwrap() {
        assert!(one["blockNumber"].as_u64().unwrap() <= 14, "{one}");
    }
    // A runtime that keeps no such list.
    let data = server
        .data(&format!(
            "{{ account(address: \"{}\") {{ ownedHotkeys {{ totalCount }} owner {{ address }} memberships {{ netuid }} }} }}",
            account(255)
        ))
        .await;
    assert_eq!(
        data["account"],
        json!({ "ownedHotkeys": null, "owner": null, "memberships": [] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hotkeys_lead_to_accounts() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ neuron(netuid: 1, uid: 2, asOf: { block: 14 }) { hotkey account { address asOfBlock }
                 coldkey coldkeyAccount { address } tenancy { hotkey account { address asOfBlock } } }
               subnet(netuid: 1) { owner ownerAccount { address } }
               weights(netuid: 1, uids: [0]) { rows { setBy { hotkey account { address } } } }
               stake(hotkey: \"ADDRESS\", first: 1) { nodes { hotkey coldkey hotkeyAccount { address } coldkeyAccount { address } } } }"
                .replace("ADDRESS", &account(1).to_string())
                .as_str(),
        )
        .await;
    let neuron = &data["neuron"];
    assert_eq!(neuron["account"]["address"], neuron["hotkey"]);
    assert_eq!(neuron["account"]["asOfBlock"], 14);
    match &neuron["coldkey"] {
        Value::Null => assert_eq!(neuron["coldkeyAccount"], Value::Null),
        coldkey => assert_eq!(&neuron["coldkeyAccount"]["address"], coldkey),
    }
    let tenancy = &neuron["tenancy"];
    assert_eq!(tenancy["account"]["address"], tenancy["hotkey"]);
    assert_eq!(tenancy["account"]["asOfBlock"], 20);
    let subnet = &data["subnet"];
    assert_eq!(subnet["ownerAccount"]["address"], subnet["owner"]);
    let set = &data["weights"]["rows"][0]["setBy"];
    assert_eq!(set["account"]["address"], set["hotkey"]);
    let stake = &data["stake"]["nodes"][0];
    assert_eq!(stake["hotkeyAccount"]["address"], stake["hotkey"]);
    assert_eq!(stake["coldkeyAccount"]["address"], stake["coldkey"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn matrices_are_shown_by_column_and_in_slices() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ weights(netuid: 1) { columns { uid entryCount uids values }
                 some: columns(uids: [3, 9, 3]) { uid entryCount entries { uid value valueNormalized } }
                 rows(first: 1) { uids(of: [3, 2]) values(of: [3, 2]) entries(of: [0]) { uid value } } }
               of: weights(netuid: 1, uids: [2]) { columns(uids: [0]) { uids values } }
               bonds(netuid: 1) { columns { uid uids } } }",
        )
        .await;
    // Neurons 0, 2 and 3 say 65535 of 3, their own uid of 0, and 0 of 2.
    assert_eq!(
        data["weights"]["columns"],
        json!([
            { "uid": 0, "entryCount": 3, "uids": [0, 2, 3], "values": [0, 2, 3] },
            { "uid": 2, "entryCount": 3, "uids": [0, 2, 3], "values": [0, 0, 0] },
            { "uid": 3, "entryCount": 3, "uids": [0, 2, 3], "values": [65535, 65535, 65535] },
        ])
    );
    let some = data["weights"]["some"].as_array().unwrap();
    assert_eq!(
        (some[0]["uid"].as_u64(), some[1]["uid"].as_u64()),
        (Some(3), Some(9))
    );
    assert_eq!(
        some[0]["entries"][1],
        json!({ "uid": 2, "value": 65535, "valueNormalized": 1.0 })
    );
    assert_eq!(some[1]["entryCount"], 0);
    assert_eq!(
        data["weights"]["rows"][0],
        json!({ "uids": [3, 2], "values": [65535, 0], "entries": [{ "uid": 0, "value": 0 }] })
    );
    assert_eq!(
        data["of"]["columns"],
        json!([{ "uids": [2], "values": [2] }])
    );
    assert_eq!(data["bonds"]["columns"][0]["uids"], json!([0]));
}
