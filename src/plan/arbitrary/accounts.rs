//! Accounts of every kind.

use proptest::prelude::*;

use super::text;
use crate::model::{
    Account, AccountId, AccountName, AccountSource, AssumeRole, AssumedRole, CredentialVariables,
    IdentityToken, Region, WebIdentity,
};

fn role() -> impl Strategy<Value = AssumedRole> {
    let optional = || proptest::option::of(text());
    (
        text(),
        optional(),
        proptest::option::of(1..=43200_u32),
        optional(),
    )
        .prop_map(
            |(role_arn, session_name, duration, external_id)| AssumedRole {
                role_arn,
                session_name,
                duration,
                external_id,
            },
        )
}

fn identity_token() -> impl Strategy<Value = IdentityToken> {
    prop_oneof![
        text().prop_map(IdentityToken::Env),
        text().prop_map(IdentityToken::File),
        proptest::option::of(text()).prop_map(|audience| IdentityToken::Github { audience }),
    ]
}

pub(super) fn source() -> BoxedStrategy<AccountSource> {
    let with_a_role = (role(), own_source()).prop_map(|(role, with)| {
        AccountSource::AssumeRole(AssumeRole {
            role,
            with: Box::new(with),
        })
    });
    prop_oneof![4 => own_source(), 1 => with_a_role].boxed()
}

fn own_source() -> BoxedStrategy<AccountSource> {
    prop_oneof![
        Just(AccountSource::Default {}),
        text().prop_map(AccountSource::Profile),
        text().prop_map(AccountSource::Tsign),
        (text(), role(), identity_token()).prop_map(|(provider_id, role, token)| {
            AccountSource::WebIdentity(WebIdentity {
                provider_id,
                role,
                token,
            })
        }),
        (text(), text(), proptest::option::of(text())).prop_map(
            |(secret_id, secret_key, token)| AccountSource::Env(CredentialVariables {
                secret_id,
                secret_key,
                token,
            })
        ),
    ]
    .boxed()
}

pub(super) fn account() -> impl Strategy<Value = Account> {
    let id = proptest::string::string_regex("[0-9]{1,20}").expect("a pattern");
    (
        source(),
        proptest::option::of(text().prop_map(AccountName::new)),
        proptest::option::of(id.prop_map(AccountId::new)),
        proptest::option::of(text().prop_map(Region::new)),
        proptest::option::of(1..=20_u32),
    )
        .prop_map(
            |(source, formerly, expect_account_id, region, rate)| Account {
                source,
                formerly,
                expect_account_id,
                region,
                rate,
            },
        )
}
