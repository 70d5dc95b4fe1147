//! What each action accepts, refuses and answers.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::sandbox::cloud::Cloud;
use crate::sandbox::enterprise::Member;

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
        licence_expires: 0,
    }
}

#[test]
fn an_add_and_a_delete_name_the_same_place() {
    let added = modify(&request(&[]), "default", &Enterprise::default()).unwrap();
    let deleted = modify(
        &request(&[("/OperateType", json!(2))]),
        "default",
        &Enterprise::default(),
    )
    .unwrap();
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
    let enterprise = Enterprise {
        members: vec![member("member", 5), member("left", 4)],
        ..Enterprise::default()
    };
    assert!(modify(&request(&[]), "default", &enterprise).is_ok());
    let failure = modify(&request(&[(pointer, value)]), "default", &enterprise).unwrap_err();
    assert_eq!(failure.code, code);
}

fn group_of(request: &Value, members: &[Member], cloud: &Cloud) -> Map<String, Value> {
    let mut request = request.clone();
    request["Operator"] = json!({ "UserId": OPERATOR });
    let body = request.to_string();
    let action = Action::GroupOrganizations;
    let enterprise = Enterprise {
        members: members.to_vec(),
        ..Enterprise::default()
    };
    describe(action, body.as_bytes(), "default", &enterprise, cloud).unwrap()
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
        (Action::Roles, "Limit", 201),
        (Action::Roles, "Offset", 2001),
    ] {
        let mut request = json!({ "Operator": { "UserId": OPERATOR }, "Limit": 1, "Offset": 0 });
        request[field] = json!(value);
        let body = request.to_string();
        let everyone = Enterprise::default();
        let failure = describe(
            action,
            body.as_bytes(),
            "default",
            &everyone,
            &Cloud::default(),
        );
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
        &Enterprise::default(),
        &Cloud::default(),
    );
    let answer = answer.unwrap();
    assert_eq!(answer["TotalCount"], 1);
    assert_eq!(answer["Employees"][0]["UserId"], OPERATOR);
    assert_eq!(answer["Employees"][0]["QuiteJob"], 0);
}

fn enterprise() -> Enterprise {
    let text = format!(
        r#"{{"members": [{{"id": "m1", "licence_expires": 1800000000}}],
            "employees": [{{"user_id": "{OPERATOR}", "roles": ["r"]}},
                          {{"user_id": "{0}A", "left": true}}, {{"user_id": "{0}B", "verified": false}}],
            "roles": [{{"id": "r", "members": ["m1"]}}], "verified": "under_way"}}"#,
        "x".repeat(31)
    );
    Enterprise::parse(&text).unwrap()
}

#[test]
fn a_described_enterprise_is_answered() {
    let ask = |action, more: Value| {
        let mut body = json!({ "Operator": { "UserId": OPERATOR } });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let body = body.to_string();
        describe(
            action,
            body.as_bytes(),
            "default",
            &enterprise(),
            &Cloud::default(),
        )
    };
    let group = ask(
        Action::GroupOrganizations,
        json!({ "Limit": 200, "Offset": 0 }),
    )
    .unwrap();
    assert_eq!(group["List"][1]["LicenseExpireTime"], 1_800_000_000);
    let roles = ask(Action::Roles, json!({ "Limit": 200 })).unwrap();
    assert_eq!(roles["IntegrateRoles"][0]["SubOrgIdList"], json!(["m1"]));
    let status = ask(Action::VerifyStatus, json!({})).unwrap();
    assert_eq!(status["VerifyStatus"], 1);
    let filter = |id: String| json!({ "Filters": [{ "Key": "UserId", "Values": [id] }] });
    let left = ask(Action::Employees, filter(format!("{}A", "x".repeat(31)))).unwrap();
    assert_eq!(left["Employees"][0]["QuiteJob"], 1);
    let new = ask(Action::Employees, filter(format!("{}B", "x".repeat(31)))).unwrap();
    assert_eq!(new["Employees"][0]["Verified"], false);
    let nobody = ask(Action::Employees, filter("y".repeat(32))).unwrap();
    assert_eq!(nobody["TotalCount"], 0);
}

#[rstest]
#[case("A", "InvalidParameter.InvalidOperatorId", "FailedOperation")]
#[case("B", "OperationDenied.NoIdentityVerify", "FailedOperation")]
#[case(
    "C",
    "InvalidParameter.InvalidOperatorId",
    "InvalidParameter.ParamError"
)]
fn operators_who_may_not_act_are_refused(
    #[case] end: &str,
    #[case] read: &str,
    #[case] written: &str,
) {
    let operator = json!({ "UserId": format!("{}{end}", "x".repeat(31)) });
    let body = json!({ "Operator": operator }).to_string();
    let action = Action::Employees;
    let asked = describe(
        action,
        body.as_bytes(),
        "default",
        &enterprise(),
        &Cloud::default(),
    );
    assert_eq!(asked.unwrap_err().code, read);
    let body = request(&[("/Operator", operator), ("/Agent", Value::Null)]);
    let changed = modify(&body, "default", &enterprise());
    assert_eq!(changed.unwrap_err().code, written);
}

#[test]
fn an_edition_may_not_have_members_callbacks() {
    let basic = Enterprise {
        edition: Edition::Basic,
        ..Enterprise::default()
    };
    let failure = modify(&request(&[]), "default", &basic).unwrap_err();
    assert_eq!(failure.code, "UnauthorizedOperation.NoPermissionFeature");
    assert!(modify(&request(&[("/Agent", Value::Null)]), "default", &basic).is_ok());
}
