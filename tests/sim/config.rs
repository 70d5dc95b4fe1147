//! What callbacks.yaml says in a schedule: a small universe, and edits of it.
//!
//! Three scopes in two enterprises, whose accounts change their names, five URLs that may be declared, and six values for their secrets.
//! Everything is a small number here, so that the oracle needs nothing of the code under test to
//! compare what was declared with what eSign holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use ess_callbacks::diag::Place;
use ess_callbacks::model::{
    Account, AccountId, AccountName, AccountSource, Adoption, Callback, CallbackUrl,
    DeclaredSecret, Desired, Entry, Environment, Fingerprints, Handle, OperatorId, Organization,
    OrganizationId, Recorded, Salt, Scope, SecretIndex,
};
use ess_callbacks::plan::FingerprintTable;
use ess_callbacks::secret::{Fingerprinter, Secret, SecretReference};

use crate::dice::Dice;
use crate::rotation::twin_urls;

/// Only there credentials have an owner that can be asked for.
pub(crate) const ENVIRONMENT: Environment = Environment::Production;
pub(crate) const SALT: Salt = Salt([7; 16]);
/// Two enterprises, by the names that their accounts have at first.
pub(crate) const ACCOUNTS: [&str; 2] = ["default", "partner"];
/// What the first enterprise's account is also called.
const OTHER_NAME: &str = "main";
pub(crate) const SCOPES: u8 = 3;
/// URLs that a configuration may mention.
pub(crate) const URLS: u8 = 5;
/// URLs that eSign holds from the beginning and no configuration names.
pub(crate) const FOREIGN: [u8; 2] = [5, 6];

/// A key and a token, by their indices among [`SECRETS`].
const VALUES: [(Option<u32>, Option<u32>); 6] = [
    (None, None),
    (Some(0), None),
    (Some(1), None),
    (Some(0), Some(2)),
    (Some(1), Some(3)),
    (None, Some(2)),
];
const SECRETS: [&str; 4] = ["key-zero", "key-one", "token-zero", "token-one"];

/// A callback's key and token: a place in [`VALUES`].
pub(crate) type Value = u8;

/// A callback's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) scope: u8,
    pub(crate) url: u8,
}

/// A callback that a configuration may mention; more often one of the first scope.
pub(crate) fn any_id(dice: &mut Dice) -> Id {
    Id {
        scope: dice.pick(&[0, 0, 1, 2]),
        url: dice.pick(&[0, 1, 2, 3, 4]),
    }
}

/// What all schedules share.
pub(crate) struct Universe {
    /// By scope: all that a state may call it. The member's callbacks are the same whichever account
    /// acts for it, and an account's own whatever the account is called.
    scopes: Vec<Vec<Arc<Scope>>>,
    pub(crate) urls: Vec<CallbackUrl>,
    pub(crate) secrets: BTreeMap<SecretIndex, Secret>,
    pub(crate) table: FingerprintTable,
    pub(crate) fingerprints: Vec<Fingerprints>,
}

/// Made once: one of the fingerprints takes a slow hash.
pub(crate) fn universe() -> &'static Universe {
    static UNIVERSE: OnceLock<Universe> = OnceLock::new();
    UNIVERSE.get_or_init(|| {
        let secrets: BTreeMap<_, _> = (0..)
            .map(SecretIndex)
            .zip(SECRETS.map(Secret::new))
            .collect();
        let fingerprinter = Fingerprinter::new(SALT);
        let table: FingerprintTable = (0..)
            .map_while(pair)
            .map(|(key, token)| {
                let value =
                    |index: Option<SecretIndex>| index.and_then(|index| secrets.get(&index));
                let made = fingerprinter.fingerprints(value(key), value(token));
                ((key, token), made)
            })
            .collect();
        let scope = |account: &str, organization: Option<&str>| {
            Arc::new(Scope {
                environment: ENVIRONMENT,
                account: AccountName::new(account),
                organization: organization.map(OrganizationId::new),
                app_id: None,
            })
        };
        let urls: Vec<_> = (0..=FOREIGN[1])
            .map(|number| CallbackUrl::new(format!("https://u{number}.example/")))
            .collect();
        let twins = twin_urls(&urls, &secrets);
        Universe {
            scopes: vec![
                vec![scope(ACCOUNTS[0], None), scope(OTHER_NAME, None)],
                [ACCOUNTS[0], OTHER_NAME, ACCOUNTS[1]]
                    .map(|account| scope(account, Some("member")))
                    .to_vec(),
                vec![scope(ACCOUNTS[1], None)],
            ],
            urls: [urls, twins].concat(),
            fingerprints: (0..).map_while(pair).map(|pair| table[&pair]).collect(),
            secrets,
            table,
        }
    })
}

/// The secrets of a value; `None` when there is no such value.
pub(crate) fn pair(value: Value) -> Option<(Option<SecretIndex>, Option<SecretIndex>)> {
    let (key, token) = *VALUES.get(usize::from(value))?;
    Some((key.map(SecretIndex), token.map(SecretIndex)))
}

/// The value with these secrets, as a call carries them.
pub(crate) fn value_of(key: Option<&Secret>, token: Option<&Secret>) -> Option<Value> {
    let index = |secret: Option<&Secret>| {
        secret.map(|secret| {
            let at = SECRETS.iter().position(|known| *known == secret.expose());
            u32::try_from(at.unwrap_or(usize::MAX)).unwrap_or(u32::MAX)
        })
    };
    let wanted = (index(key), index(token));
    let at = VALUES.iter().position(|known| *known == wanted)?;
    u8::try_from(at).ok()
}

pub(crate) fn any_value(dice: &mut Dice) -> Value {
    dice.pick(&[0, 1, 2, 3, 4, 5])
}

impl Id {
    pub(crate) fn of(scope: &Scope, url: &CallbackUrl) -> Option<Self> {
        let universe = universe();
        let is_it = |known: &Vec<Arc<Scope>>| known.iter().any(|known| **known == *scope);
        let scope = universe.scopes.iter().position(is_it)?;
        let url = universe.urls.iter().position(|known| known == url)?;
        Some(Self {
            scope: u8::try_from(scope).ok()?,
            url: u8::try_from(url).ok()?,
        })
    }

    /// All that a state may call its scope.
    pub(crate) fn scopes(self) -> &'static [Arc<Scope>] {
        &universe().scopes[usize::from(self.scope)]
    }

    /// What is recorded of it, under whatever name.
    pub(crate) fn recorded(self, recorded: &Recorded) -> Option<&Entry> {
        let mut scopes = self.scopes().iter();
        scopes.find_map(|scope| recorded.get(scope, self.url()))
    }

    pub(crate) fn url(self) -> &'static CallbackUrl {
        &universe().urls[usize::from(self.url)]
    }
}

/// Which enterprise's credentials sign the calls of a scope, by its account's first name.
pub(crate) fn enterprise(scope: &Scope) -> &'static str {
    enterprise_of(&scope.account)
}

/// Whose account has this name.
pub(crate) fn enterprise_of(account: &AccountName) -> &'static str {
    let partner = account.as_str() == ACCOUNTS[1];
    ACCOUNTS[usize::from(partner)]
}

/// Which credentials the accounts of a run have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Their own.
    Right,
    /// Those of the other enterprise.
    MixedUp,
}

impl Credentials {
    pub(crate) const fn mixed_up_if(yes: bool) -> Self {
        if yes { Self::MixedUp } else { Self::Right }
    }

    /// Whose credentials sign for the account with this name.
    pub(crate) fn signer_of(self, account: &AccountName) -> &'static str {
        let partner = enterprise_of(account) == ACCOUNTS[1];
        ACCOUNTS[usize::from(partner != (self == Self::MixedUp))]
    }
}

/// Whether the file has `expect_account_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owners {
    #[default]
    Given,
    LeftOut,
}

/// What the accounts are called, and which acts for the member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Names {
    /// The first enterprise's account has its other name.
    renamed: bool,
    /// And does not say what it was called before.
    unsaid: bool,
    /// The partner acts for the member.
    member_by_partner: bool,
    /// Whether the file says which enterprises the accounts belong to.
    owners: Owners,
}

/// A callbacks.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    names: Names,
    /// By scope.
    pub(crate) organizations: BTreeMap<u8, Declared>,
}

/// One organization in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    handle: u8,
    operator: u8,
    pub(crate) adoption: Adoption,
    pub(crate) suspend: bool,
    pub(crate) callbacks: BTreeMap<u8, (Value, bool)>,
    pub(crate) absent: BTreeSet<u8>,
}

impl Declared {
    fn random(dice: &mut Dice) -> Self {
        let mut new = Self {
            handle: 0,
            operator: 0,
            adoption: Adoption::Keep,
            suspend: false,
            callbacks: BTreeMap::new(),
            absent: BTreeSet::new(),
        };
        if dice.percent(20) {
            new.adoption = Adoption::Replace;
        }
        for _ in 0..=dice.below(3) {
            new.declare(dice);
        }
        if dice.percent(15) {
            new.list_absent(dice);
        }
        new
    }

    fn declare(&mut self, dice: &mut Dice) {
        let url = dice.pick(&[0, 1, 2, 3, 4]);
        let declared = (any_value(dice), dice.percent(15));
        self.absent.remove(&url);
        self.callbacks.insert(url, declared);
    }

    fn list_absent(&mut self, dice: &mut Dice) {
        let url = dice.pick(&[0, 1, 2, 3, 4]);
        self.callbacks.remove(&url);
        self.absent.insert(url);
    }

    fn edit(&mut self, dice: &mut Dice) {
        match dice.below(12) {
            0..=2 => self.declare(dice),
            3 | 4 => {
                let url = dice.pick(&[0, 1, 2, 3, 4]);
                self.callbacks.remove(&url);
            }
            5..=7 => {
                let new = any_value(dice);
                let at = dice.below(self.callbacks.len());
                if let Some((value, _)) = self.callbacks.values_mut().nth(at) {
                    *value = new;
                }
            }
            8 => {
                let at = dice.below(self.callbacks.len());
                if let Some((_, protect)) = self.callbacks.values_mut().nth(at) {
                    *protect = !*protect;
                }
            }
            9 => self.list_absent(dice),
            10 => self.absent.clear(),
            _ => match dice.below(4) {
                0 => self.suspend = !self.suspend,
                1 => self.handle = 1 - self.handle,
                2 => self.operator = 1 - self.operator,
                _ => {
                    self.adoption = match self.adoption {
                        Adoption::Keep => Adoption::Replace,
                        Adoption::Replace => Adoption::Keep,
                    };
                }
            },
        }
    }
}

impl Config {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let mut organizations = BTreeMap::new();
        for _ in 0..=dice.below(2) {
            let scope = dice.pick(&[0, 0, 1, 2]);
            organizations.insert(scope, Declared::random(dice));
        }
        Self {
            names: Names::default(),
            organizations,
        }
    }

    /// What the first enterprise's account is called, and what it was called before.
    const fn first_names(&self) -> (&'static str, &'static str) {
        if self.names.renamed {
            (OTHER_NAME, ACCOUNTS[0])
        } else {
            (ACCOUNTS[0], OTHER_NAME)
        }
    }

    /// The scope as the file has it.
    fn scope(&self, scope: u8) -> Arc<Scope> {
        let account = match scope {
            1 if self.names.member_by_partner => ACCOUNTS[1],
            0 | 1 => self.first_names().0,
            _ => ACCOUNTS[1],
        };
        let mut known = Id { scope, url: 0 }.scopes().iter();
        let is_it = |known: &&Arc<Scope>| known.account.as_str() == account;
        Arc::clone(known.find(is_it).expect("every name is known"))
    }

    /// Whether the file does not say what the account was called before.
    pub(crate) const fn leaves_a_name_out(&self) -> bool {
        self.names.unsaid
    }

    /// At the end, the account's old name is always given, and whose the accounts are.
    pub(crate) const fn name_all(&mut self) {
        self.names.unsaid = false;
        self.names.owners = Owners::Given;
    }

    /// Somebody edits the file.
    pub(crate) fn edit(&mut self, dice: &mut Dice) {
        match dice.below(20) {
            0 => self.names.renamed = !self.names.renamed,
            1 => self.names.unsaid = !self.names.unsaid,
            2 => self.names.member_by_partner = !self.names.member_by_partner,
            3 => self.names.owners = dice.pick(&[Owners::Given, Owners::LeftOut]),
            _ => {}
        }
        let scope = dice.pick(&[0, 0, 1, 2]);
        if dice.percent(8) {
            self.organizations.remove(&scope);
            return;
        }
        match self.organizations.get_mut(&scope) {
            Some(organization) => organization.edit(dice),
            None if dice.percent(30) => {
                self.organizations.insert(scope, Declared::random(dice));
            }
            None => {
                if let Some(organization) = self.organizations.values_mut().next() {
                    organization.edit(dice);
                }
            }
        }
    }

    /// Somebody changes most keys and tokens.
    pub(crate) fn rekey(&mut self, dice: &mut Dice) {
        for organization in self.organizations.values_mut() {
            for (value, _) in organization.callbacks.values_mut() {
                if dice.percent(70) {
                    *value = any_value(dice);
                }
            }
        }
    }

    /// Somebody puts a protected callback back.
    pub(crate) fn redeclare(&mut self, id: Id, value: Value) {
        let organization = self.organizations.entry(id.scope).or_insert(Declared {
            handle: 0,
            operator: 0,
            adoption: Adoption::Keep,
            suspend: false,
            callbacks: BTreeMap::new(),
            absent: BTreeSet::new(),
        });
        organization.absent.remove(&id.url);
        organization.callbacks.insert(id.url, (value, true));
    }

    /// What is declared for a callback.
    pub(crate) fn value(&self, id: Id) -> Option<Value> {
        let organization = self.organizations.get(&id.scope)?;
        let (value, _) = organization.callbacks.get(&id.url)?;
        Some(*value)
    }

    /// Every declared callback.
    pub(crate) fn declared(&self) -> impl Iterator<Item = (Id, Value, bool)> {
        self.organizations
            .iter()
            .flat_map(|(&scope, organization)| {
                organization
                    .callbacks
                    .iter()
                    .map(move |(&url, &(value, protect))| (Id { scope, url }, value, protect))
            })
    }

    pub(crate) fn is_absent(&self, id: Id) -> bool {
        self.organizations
            .get(&id.scope)
            .is_some_and(|organization| organization.absent.contains(&id.url))
    }

    pub(crate) fn is_suspended(&self, scope: u8) -> bool {
        self.organizations
            .get(&scope)
            .is_some_and(|organization| organization.suspend)
    }

    /// The handle of a scope's organization, as the file has it.
    pub(crate) fn handle(&self, scope: u8) -> Option<Handle> {
        let number = self.organizations.get(&scope)?.handle;
        Some(Handle::new(format!("o{scope}-{number}")))
    }

    pub(crate) fn desired(&self) -> Desired {
        let mut organizations: Vec<_> = self
            .organizations
            .iter()
            .map(|(&scope, declared)| self.organization(scope, declared))
            .collect();
        organizations.sort_by(|one, two| one.handle.cmp(&two.handle));
        Desired {
            environment: ENVIRONMENT,
            accounts: self.accounts(),
            organizations,
            secrets: SECRETS
                .iter()
                .map(|name| DeclaredSecret {
                    accepted: Vec::new(),
                    reference: SecretReference::Env((*name).to_owned()),
                    place: Place::default(),
                })
                .collect(),
        }
    }

    /// Where the two enterprises are not known for different ones, each may share the other's callbacks.
    fn accounts(&self) -> BTreeMap<AccountName, Account> {
        let (name, former) = self.first_names();
        let account = |name: &str, formerly: Option<&str>, enterprise: &str| {
            let account = Account {
                formerly: formerly.map(AccountName::new),
                expect_account_id: match self.names.owners {
                    Owners::Given => Some(AccountId::new(enterprise)),
                    Owners::LeftOut => None,
                },
                ..Account::of(AccountSource::Profile(name.to_owned()))
            };
            (AccountName::new(name), account)
        };
        BTreeMap::from([
            account(
                name,
                Some(former).filter(|_| !self.names.unsaid),
                ACCOUNTS[0],
            ),
            account(ACCOUNTS[1], None, ACCOUNTS[1]),
        ])
    }

    fn organization(&self, scope: u8, declared: &Declared) -> Organization {
        let url = |number: u8| Id { scope, url: number }.url().clone();
        Organization {
            handle: self.handle(scope).expect("it is declared"),
            scope: self.scope(scope),
            operator: OperatorId::new(format!("operator-{}", declared.operator)),
            adoption: declared.adoption,
            suspend: declared.suspend,
            callbacks: declared
                .callbacks
                .iter()
                .map(|(&number, &(value, protect))| {
                    let (key, token) = pair(value).expect("values are from the universe");
                    Callback {
                        enabled: true,
                        url: url(number),
                        key,
                        token,
                        protect,
                        description: None,
                        place: Place::default(),
                    }
                })
                .collect(),
            absent: declared.absent.iter().map(|&number| url(number)).collect(),
            place: Place::default(),
        }
    }
}
