//! What each action accepts, refuses and answers.

use rstest::rstest;

use super::*;

const OPERATOR: &str = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";

/// A good add, with some members replaced.
fn request(changes: &[(&str, Value)]) -> Vec<u8> {
    let mut request = json!({
        "Operator": { "UserId": OPERATOR },
        "OperateType": 1,
        "CallbackInfo": { "CallbackUrl": "https://a.example/x", "CallbackKey": KEY },
        "Agent": { "ProxyOrganizationId": "member", "AppId": "app" },
    });
    for (pointer, value) in changes {
        *request.pointer_mut(pointer).unwrap() = value.clone();
    }
    request.to_string().into_bytes()
}

fn member(id: &str, status: u8) -> Member {
    Member {
        id: id.to_owned(),
        name: format!("Name of {id}"),
        status,
    }
}

#[test]
fn an_add_and_a_delete_name_the_same_place() {
    let added = modify(&request(&[]), "default", &[]).unwrap();
    let deleted = modify(&request(&[("/OperateType", json!(2))]), "default", &[]).unwrap();
    let (Change::Add(place, secrets), Change::Delete(same)) = (added, deleted) else {
        panic!("the wrong way round");
    };
    assert_eq!(place, same);
    assert_eq!(place.organization.as_deref(), Some("member"));
    assert_eq!(place.app_id.as_deref(), Some("app"));
    assert!(matches!(secrets.key, Held::Value(key) if key.expose() == KEY));
    assert!(!secrets.token.is_set());
}

#[rstest]
#[case("/Operator/UserId", json!(""), "MissingParameter")]
#[case("/Operator/UserId", json!("short"), "InvalidParameter.ParamError")]
#[case("/Operator/UserId", json!("操作人操作人操作人12345"), "InvalidParameter.ParamError")]
#[case("/OperateType", json!(3), "InvalidParameterValue")]
#[case("/OperateType", json!("1"), "InvalidParameter")]
#[case("/CallbackInfo/CallbackUrl", json!(""), "MissingParameter")]
#[case("/CallbackInfo/CallbackUrl", json!("ftp://a.example"), "InvalidParameterValue")]
#[case("/CallbackInfo/CallbackUrl", json!(format!("https://a.example/{}", "x".repeat(1000))), "InvalidParameterValue")]
#[case("/CallbackInfo/CallbackKey", json!("x".repeat(33)), "InvalidParameterValue")]
#[case("/CallbackInfo/CallbackKey", json!("x".repeat(31)), "InvalidParameterValue")]
#[case("/CallbackInfo", json!({"CallbackUrl": "https://a.example", "CallbackToken": "x".repeat(1025)}), "InvalidParameterValue")]
#[case("/Agent/AppId", json!("x".repeat(1025)), "InvalidParameterValue")]
#[case("/CallbackInfo", json!({"CallbackUrl": "https://a.example", "Key": "x"}), "UnknownParameter")]
#[case("/Agent/ProxyOrganizationId", json!("stranger"), "FailedOperation")]
#[case("/Agent/ProxyOrganizationId", json!("left"), "FailedOperation")]
fn what_is_wrong_is_refused(#[case] pointer: &str, #[case] value: Value, #[case] code: &str) {
    let members = [member("member", 5), member("left", 4)];
    assert!(modify(&request(&[]), "default", &members).is_ok());
    let failure = modify(&request(&[(pointer, value)]), "default", &members).unwrap_err();
    assert_eq!(failure.code, code);
}

fn group_of(request: &Value, members: &[Member], cloud: &Cloud) -> Map<String, Value> {
    let mut request = request.clone();
    request["Operator"] = json!({ "UserId": OPERATOR });
    let body = request.to_string();
    let action = Action::GroupOrganizations;
    describe(action, body.as_bytes(), "default", members, cloud).unwrap()
}

#[test]
fn the_group_is_paged_and_filtered() {
    let members: Vec<Member> = (0..9)
        .map(|n| member(&format!("m{n}"), 1 + n % 5))
        .collect();
    let ids = |request: Value| {
        let answer = group_of(&request, &members, &Cloud::default());
        let list = answer["List"].as_array().unwrap().clone();
        let ids: Vec<String> = list
            .iter()
            .map(|it| it["OrganizationId"].as_str().unwrap().to_owned())
            .collect();
        (answer["Total"].as_u64().unwrap(), ids)
    };
    let (total, first) = ids(json!({ "Limit": 2, "Offset": 0 }));
    assert_eq!((total, first.len()), (10, 2));
    assert_eq!(
        first[0].len(),
        32,
        "the main organization has an id like eSign's"
    );
    let (total, next) = ids(json!({ "Limit": 2, "Offset": 8 }));
    assert_eq!((total, next), (10, vec!["m7".to_owned(), "m8".to_owned()]));
    let (total, refused) = ids(json!({ "Limit": 200, "Offset": 0, "Status": 3 }));
    assert_eq!(
        (total, refused),
        (2, vec!["m2".to_owned(), "m7".to_owned()])
    );
    let (_, by_id) = ids(json!({ "Limit": 200, "Offset": 0, "Id": "m5" }));
    let (_, by_name) = ids(json!({ "Limit": 200, "Offset": 0, "Name": "of m5" }));
    assert_eq!((by_id.len(), &by_id), (1, &by_name));
}

#[test]
fn without_members_the_group_is_who_was_acted_for() {
    let mut cloud = Cloud::default();
    for (url, organization) in [("1", "a"), ("2", "a"), ("3", "b")] {
        let place = Place {
            account: "default".to_owned(),
            organization: Some(organization.to_owned()),
            app_id: None,
            url: url.to_owned(),
        };
        let (key, token) = (Held::Nothing, Held::Nothing);
        cloud.apply(Change::Add(place, Secrets { key, token }));
    }
    let answer = group_of(&json!({ "Limit": 200, "Offset": 0 }), &[], &cloud);
    assert_eq!(answer["Total"], 3);
    assert_eq!(answer["List"][0]["IsMainOrganization"], true);
    assert_eq!(answer["List"][2]["OrganizationId"], "b");
}

#[test]
fn a_page_may_not_be_larger_than_documented() {
    for (action, field, value) in [
        (Action::GroupOrganizations, "Limit", 201),
        (Action::GroupOrganizations, "Offset", 20_001),
        (Action::Employees, "Limit", 21),
        (Action::Employees, "Limit", -1),
    ] {
        let mut request = json!({ "Operator": { "UserId": OPERATOR }, "Limit": 1, "Offset": 0 });
        request[field] = json!(value);
        let body = request.to_string();
        let failure = describe(action, body.as_bytes(), "default", &[], &Cloud::default());
        assert_eq!(
            failure.unwrap_err().code,
            "InvalidParameterValue",
            "{field} {value}"
        );
    }
}

#[test]
fn an_employee_is_found_by_id_or_not() {
    let body = json!({
        "Operator": { "UserId": OPERATOR },
        "Filters": [{ "Key": "UserId", "Values": [OPERATOR, "nobody"] }],
    });
    let body = body.to_string();
    let answer = describe(
        Action::Employees,
        body.as_bytes(),
        "default",
        &[],
        &Cloud::default(),
    );
    let answer = answer.unwrap();
    assert_eq!(answer["TotalCount"], 1);
    assert_eq!(answer["Employees"][0]["UserId"], OPERATOR);
    assert_eq!(answer["Employees"][0]["QuiteJob"], 0);
}
