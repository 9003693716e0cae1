use super::*;

fn account() -> (Account, String) {
    let account = Account::new(&["example.com".to_owned()]);
    let zone = account.zones()[0].id.clone();
    (account, zone)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn code(refusal: Result<Written, ApiError>) -> (u16, Value) {
    let answer = refusal.map(|_| ()).expect_err("a refusal").answer();
    (answer.status, answer.body["errors"][0]["code"].clone())
}

fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn patch_changes_only_what_it_mentions() {
    let (mut account, zone) = account();
    let record = Record::new("A", "vpn.example.com", "11.22.33.9").ttl(120).comment("by hand").tags(&["team:net"]);
    let (id, _) = account.insert(record).expect("inserted");
    let before = account.records()[0].clone();
    account.patch(&zone, &id, &object(json!({"content": "11.22.33.44"}))).map(drop).expect("accepted");
    let after = account.records()[0].clone();
    assert_eq!(after.content, "11.22.33.44");
    assert_eq!(Record { content: before.content.clone(), modified_on: before.modified_on.clone(), ..after }, before);
}

#[test]
fn put_resets_what_it_does_not_mention() {
    let (mut account, zone) = account();
    let record = Record::new("A", "vpn.example.com", "11.22.33.9").ttl(120).comment("by hand").tags(&["team:net"]);
    let (id, _) = account.insert(record).expect("inserted");
    let created = account.records()[0].created_on.clone();
    let body = json!({"type": "A", "name": "vpn.example.com", "content": "11.22.33.44"});
    account.put(&zone, &id, &object(body)).map(drop).expect("accepted");
    let after = &account.records()[0];
    assert_eq!((after.ttl, after.comment.as_deref(), after.tags.len()), (1, None, 0));
    assert_eq!((&after.id, &after.created_on), (&id, &created));
}

#[test]
fn refusals_carry_the_codes_of_the_real_api() {
    let (mut account, zone) = account();
    let body = |content: &str, ttl: u32| object(json!({"type": "A", "name": "vpn", "content": content, "ttl": ttl}));
    assert_eq!(code(account.create(&zone, &body("11.22.33.256", 1))), (400, json!(9005)));
    assert_eq!(code(account.create(&zone, &body("11.22.33.44", 7))), (400, json!(9021)));
    account.create(&zone, &body("11.22.33.44", 1)).map(drop).expect("accepted");
    assert_eq!(account.records()[0].name, "vpn.example.com");
    assert_eq!(code(account.create(&zone, &body("11.22.33.44", 1))), (400, json!(81058)));
    assert_eq!(code(account.patch(&zone, "00", &object(json!({})))), (404, json!(81044)));
    let alias = object(json!({"type": "CNAME", "name": "vpn", "content": "other.example.com"}));
    assert_eq!(code(account.create(&zone, &alias)), (400, json!(81053)));
    assert_eq!(code(account.delete("00", "00")), (404, json!(7003)));
    assert_eq!(code(account.create(&zone, &object(json!({"type": "A", "name": "x"})))), (400, json!(1004)));
}

#[test]
fn lists_are_filtered_and_paged() {
    let (mut account, zone) = account();
    for last in 1..=5 {
        account.insert(Record::new("A", "vpn.example.com", &format!("11.22.33.{last}"))).expect("inserted");
    }
    account.insert(Record::new("AAAA", "vpn.example.com", "2a00::1")).expect("inserted");
    let filter = [("name", "VPN.example.com"), ("type", "A"), ("page", "2"), ("per_page", "2")];
    let page = account.list_records(&zone, &query(&filter)).expect("a page");
    let contents: Vec<_> =
        page.body["result"].as_array().expect("a list").iter().map(|r| r["content"].clone()).collect();
    assert_eq!(contents, [json!("11.22.33.3"), json!("11.22.33.4")]);
    let info = json!({"page": 2, "per_page": 2, "count": 2, "total_count": 5, "total_pages": 3});
    assert_eq!(page.body["result_info"], info);
    account.page_limit = Some(4);
    let page = account.list_records(&zone, &query(&[("per_page", "100")])).expect("a page");
    assert_eq!(page.body["result_info"]["total_pages"], 2);
    assert!(account.list_records(&zone, &query(&[("page", "0")])).is_err());
}

#[test]
fn a_moved_zone_keeps_its_records_under_another_id() {
    let (mut account, old) = account();
    account.insert(Record::new("A", "vpn.example.com", "11.22.33.9")).expect("inserted");
    let new = account.move_zone("example.com").expect("moved");
    assert!(account.list_records(&old, &[]).is_err());
    let list = account.list_records(&new, &[]).expect("a list");
    assert_eq!(list.body["result_info"]["total_count"], 1);
}
