//! Roles that an account assumes, tokens of identity providers, and regions.

use std::borrow::Cow;

use super::fields::mistyped;
use super::reader::Reader;
use crate::config::code;
use crate::config::name::shown;
use crate::config::raw::{self, Fields, MaybeSecret, Number, Text, Value};
use crate::config::role::{FASTEST, LONGEST, is_arn, is_external_id, is_region, is_session};
use crate::config::secret::is_no_identity_token;
use crate::config::yaml::{Span, Spanned};
use crate::model::{AssumedRole, IdentityToken, Region, WebIdentity};

/// A string that must have a form.
struct Form {
    field: &'static str,
    accepts: fn(&str) -> bool,
    /// What it must be.
    rule: &'static str,
    help: &'static str,
}

const ARN: Form = Form {
    field: "role_arn",
    accepts: is_arn,
    rule: "the ARN of a role: qcs::cam::uin/NUMBER:roleName/NAME",
    help: "copy it from the role's page in the CAM console",
};
const SESSION: Form = Form {
    field: "session_name",
    accepts: is_session,
    rule: "2 to 128 letters, digits and `_+=,.@-`",
    help: "write a name like ess-callbacks, or remove it",
};
const EXTERNAL_ID: Form = Form {
    field: "external_id",
    accepts: is_external_id,
    rule: "2 to 128 letters, digits and `_+=,.@:/-`",
    help: "copy it from the owner of the role, or remove it",
};
const REGION: Form = Form {
    field: "region",
    accepts: is_region,
    rule: "the name of a region",
    help: "write one like ap-guangzhou, or remove it",
};
const PROVIDER: Form = Form {
    field: "provider_id",
    accepts: crate::config::name::is_id,
    rule: "one or more visible ASCII characters",
    help: "copy the name of the identity provider from the CAM console",
};
const AUDIENCE: Form = Form {
    field: "audience",
    accepts: crate::config::name::is_id,
    rule: "one or more visible ASCII characters",
    help: "copy the client ID of the identity provider from the CAM console",
};

impl Reader<'_> {
    pub(super) fn region(&mut self, value: Option<Spanned<Value<Text<'_>>>>) -> Option<Region> {
        self.formed(&REGION, value)?.map(Region::new)
    }

    /// The role of `assume_role`, `None` when it has an error or there is none.
    pub(super) fn assume_role(
        &mut self,
        value: Option<Spanned<Value<Fields<'_, raw::AssumeRole<'_>>>>>,
    ) -> Option<AssumedRole> {
        let Spanned { value, span, .. } = self.field("assume_role", value)?;
        let no_arn = mistyped(&value.unexpected, ARN.field);
        let raw::AssumeRole {
            role_arn,
            session_name,
            duration,
            external_id,
        } = self.fields("`assume_role`", value);
        self.required(
            "`assume_role`",
            span,
            &[(ARN.field, role_arn.is_none() && !no_arn)],
        );
        let role_arn = self.formed(&ARN, role_arn);
        let session_name = self.formed(&SESSION, session_name);
        let duration = self.duration(duration);
        let external_id = self.formed(&EXTERNAL_ID, external_id);
        Some(AssumedRole {
            role_arn: role_arn??,
            session_name: session_name?,
            duration: duration?,
            external_id: external_id?,
        })
    }

    pub(super) fn web_identity(
        &mut self,
        value: Spanned<Value<Fields<'_, raw::WebIdentity<'_>>>>,
    ) -> Option<WebIdentity> {
        let Spanned { value, span, .. } = self.field("web_identity", Some(value))?;
        let mistyped =
            [PROVIDER.field, ARN.field, "token"].map(|field| mistyped(&value.unexpected, field));
        let raw::WebIdentity {
            provider_id,
            role_arn,
            session_name,
            duration,
            token,
        } = self.fields("`web_identity`", value);
        let [no_provider, no_arn, no_token] = mistyped;
        let missing = [
            (PROVIDER.field, provider_id.is_none() && !no_provider),
            (ARN.field, role_arn.is_none() && !no_arn),
            ("token", token.is_none() && !no_token),
        ];
        self.required("`web_identity`", span, &missing);
        let provider_id = self.formed(&PROVIDER, provider_id);
        let role_arn = self.formed(&ARN, role_arn);
        let session_name = self.formed(&SESSION, session_name);
        let duration = self.duration(duration);
        let token = self.identity_token(token);
        Some(WebIdentity {
            provider_id: provider_id??,
            role: AssumedRole {
                role_arn: role_arn??,
                session_name: session_name?,
                duration: duration?,
                external_id: None,
            },
            token: token?,
        })
    }

    fn required(&mut self, what: &str, span: Span, fields: &[(&str, bool)]) {
        for (field, missing) in fields {
            if *missing {
                let message = format!("missing field `{field}` in {what}");
                self.error(span, code::MISSING_KEY, message, None);
            }
        }
    }

    /// Where the token comes from. After any error the values are hidden: one may be the token itself.
    fn identity_token(
        &mut self,
        value: Option<Spanned<Value<MaybeSecret<'_, raw::IdentityToken<'_>>>>>,
    ) -> Option<IdentityToken> {
        let Spanned { value, span, bytes } = self.field("token", value)?;
        let help =
            "write `token: { github: { audience: … } }`, `{ file: PATH }` or `{ env: NAME }`";
        let fields = match value {
            MaybeSecret::Mapping(fields) => *fields,
            MaybeSecret::Other(other) => {
                for bytes in other.scalars(bytes) {
                    self.hide(bytes);
                }
                let message =
                    "`token` of a web identity must be a mapping that says where it comes from";
                self.error(span, code::WRONG_TYPE, message, Some(help.to_owned()));
                return None;
            }
        };
        let unexpected = fields.unexpected.len();
        let raw::IdentityToken { env, file, github } =
            self.fields("`token` of a web identity", fields);
        let given = [env.is_some(), file.is_some(), github.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 if unexpected > 0 => return None,
            _ => {
                let message = "`token` must have exactly one of `env`, `file`, `github`";
                self.error(span, code::ROLE, message, Some(help.to_owned()));
                return None;
            }
        }
        if env.is_some() {
            let name = self.variable("env", env)?;
            // It is sent away, in a request that other machines may log.
            if is_no_identity_token(&name.value) {
                let message = format!(
                    "`{}` contains credentials for the API and must not be used as the token of a web identity",
                    name.value
                );
                let help = "use the variable with the token of the identity provider";
                self.error(
                    name.span,
                    code::RESERVED_VARIABLE,
                    message,
                    Some(help.to_owned()),
                );
                return None;
            }
            return Some(IdentityToken::Env(name.value.into_owned()));
        }
        if file.is_some() {
            let Spanned { value, span, .. } = self.text("file", file)?;
            if value.is_empty() {
                self.error(span, code::ROLE, "`file` must not be empty", None);
                return None;
            }
            return Some(IdentityToken::File(value.into_owned()));
        }
        let github = self.field("github", github)?;
        let raw::Github { audience } = self.fields("`github`", github.value);
        let audience = self.formed(&AUDIENCE, audience)?;
        Some(IdentityToken::Github { audience })
    }

    /// `None` when the value has an error, `Some(None)` when there is none.
    #[expect(clippy::option_option, reason = "not set and invalid are two things")]
    fn formed(
        &mut self,
        form: &Form,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<Option<String>> {
        if value.is_none() {
            return Some(None);
        }
        let Spanned { value, span, .. } = self.text(form.field, value)?;
        if (form.accepts)(&value) {
            return Some(Some(Cow::into_owned(value)));
        }
        let Form {
            field, rule, help, ..
        } = form;
        let message = format!("`{field}` must be {rule}, but it is `{}`", shown(&value));
        self.error(span, code::ROLE, message, Some((*help).to_owned()));
        None
    }

    /// The same of a number of seconds.
    #[expect(clippy::option_option, reason = "not set and invalid are two things")]
    fn duration(&mut self, value: Option<Spanned<Value<Number>>>) -> Option<Option<u32>> {
        if value.is_none() {
            return Some(None);
        }
        let number = self.field("duration", value)?;
        let rule = format!("a whole number of seconds from 1 to {LONGEST}");
        self.whole(
            ("duration", &rule),
            number,
            LONGEST,
            "write 7200, or remove it",
        )
        .map(Some)
    }

    /// The rate of an account; `None` without one, and after an error.
    pub(super) fn rate(&mut self, value: Option<Spanned<Value<Number>>>) -> Option<u32> {
        let number = self.field("rate", value)?;
        let rule = format!("a whole number of calls a second from 1 to {FASTEST}");
        let help = "eSign allows 20 for each SecretId; write the part of them that is for this configuration";
        self.whole(("rate", &rule), number, FASTEST, help)
    }

    /// A whole number from 1 to `most`.
    fn whole(
        &mut self,
        (field, rule): (&str, &str),
        Spanned { value, span, .. }: Spanned<Number>,
        most: u32,
        help: &str,
    ) -> Option<u32> {
        let whole: Option<u32> = value.0.to_string().parse().ok();
        let found = whole.filter(|number| (1..=most).contains(number));
        if found.is_none() {
            let message = format!("`{field}` must be {rule}");
            self.error(span, code::ROLE, message, Some(help.to_owned()));
        }
        found
    }
}
