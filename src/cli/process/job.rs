//! The URL of the CI job that this process runs in, from the variables of CI systems. The lock file holds it, for
//! those who wait for the lock.

/// Variables that hold a whole URL. Those of a job come before those of its pipeline.
const WHOLE: [&str; 12] = [
    "CI_JOB_URL",                 // GitLab
    "CNB_BUILD_WEB_URL",          // Tencent's CNB
    "CODING_BUILD_WEB_URL",       // CODING
    "BUILDKITE_BUILD_URL",        // Buildkite
    "CIRCLE_BUILD_URL",           // CircleCI
    "DRONE_BUILD_LINK",           // Drone
    "CI_STEP_URL",                // Woodpecker
    "CI_PIPELINE_URL",            // Woodpecker, GitLab
    "TRAVIS_JOB_WEB_URL",         // Travis
    "CF_BUILD_URL",               // Codefresh
    "CODEBUILD_PUBLIC_BUILD_URL", // AWS CodeBuild
    "BUILD_URL",                  // Jenkins, and systems built on it
];

/// Part of a URL: the value of a variable, or a literal.
#[derive(Clone, Copy)]
enum Part {
    Of(&'static str),
    Is(&'static str),
}

use Part::{Is, Of};

/// URLs that are in several variables.
const PARTS: [&[Part]; 5] = [
    // Azure Pipelines.
    &[
        Of("SYSTEM_COLLECTIONURI"),
        Of("SYSTEM_TEAMPROJECT"),
        Is("/_build/results?buildId="),
        Of("BUILD_BUILDID"),
    ],
    // Bitbucket.
    &[
        Of("BITBUCKET_GIT_HTTP_ORIGIN"),
        Is("/pipelines/results/"),
        Of("BITBUCKET_BUILD_NUMBER"),
    ],
    // Semaphore.
    &[
        Of("SEMAPHORE_ORGANIZATION_URL"),
        Is("/jobs/"),
        Of("SEMAPHORE_JOB_ID"),
    ],
    // Gitea and Forgejo set GitHub's variables, but count runs in each repository.
    &[
        Of("GITHUB_SERVER_URL"),
        Is("/"),
        Of("GITHUB_REPOSITORY"),
        Is("/actions/runs/"),
        Of("GITHUB_RUN_NUMBER"),
    ],
    // GitHub.
    &[
        Of("GITHUB_SERVER_URL"),
        Is("/"),
        Of("GITHUB_REPOSITORY"),
        Is("/actions/runs/"),
        Of("GITHUB_RUN_ID"),
    ],
];

/// The URL, if the environment has one. `variable` returns a variable that is set and not empty.
pub(crate) fn url(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let gitea = variable("GITEA_ACTIONS").is_some() || variable("FORGEJO_ACTIONS").is_some();
    let whole = WHOLE.iter().find_map(|name| variable(name));
    let joined = || {
        let fits = |parts: &&&[Part]| {
            let by_number = matches!(parts.last(), Some(Of("GITHUB_RUN_NUMBER")));
            gitea || !by_number
        };
        PARTS.iter().filter(fits).find_map(|parts| {
            let text = |part: &Part| match part {
                Of(name) => variable(name),
                Is(text) => Some((*text).to_owned()),
            };
            parts.iter().map(text).collect::<Option<String>>()
        })
    };
    whole.or_else(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<String> {
        url(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_system_has_its_address() {
        let github = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "acme/esign"),
            ("GITHUB_RUN_ID", "1658821493"),
            ("GITHUB_RUN_NUMBER", "7"),
        ];
        let gitea = [&github[..], &[("GITEA_ACTIONS", "true")]].concat();
        let azure = [
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/acme/"),
            ("SYSTEM_TEAMPROJECT", "esign"),
            ("BUILD_BUILDID", "12"),
        ];
        let bitbucket = [
            (
                "BITBUCKET_GIT_HTTP_ORIGIN",
                "https://bitbucket.org/acme/esign",
            ),
            ("BITBUCKET_BUILD_NUMBER", "3"),
        ];
        let semaphore = [
            ("SEMAPHORE_ORGANIZATION_URL", "https://acme.semaphoreci.com"),
            ("SEMAPHORE_JOB_ID", "a1"),
        ];
        let gitlab = [
            ("CI_PIPELINE_URL", "https://gitlab.example/p/1"),
            ("CI_JOB_URL", "https://gitlab.example/j/2"),
        ];
        for (variables, expected) in [
            (
                &github[..],
                "https://github.com/acme/esign/actions/runs/1658821493",
            ),
            (&gitea, "https://github.com/acme/esign/actions/runs/7"),
            (
                &azure,
                "https://dev.azure.com/acme/esign/_build/results?buildId=12",
            ),
            (
                &bitbucket,
                "https://bitbucket.org/acme/esign/pipelines/results/3",
            ),
            (&semaphore, "https://acme.semaphoreci.com/jobs/a1"),
            (&gitlab, "https://gitlab.example/j/2"),
        ] {
            assert_eq!(of(variables).as_deref(), Some(expected));
        }
        for name in WHOLE {
            assert_eq!(
                of(&[(name, "https://ci.example/1")]).as_deref(),
                Some("https://ci.example/1")
            );
        }
    }

    #[test]
    fn half_an_address_is_none() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("GITHUB_RUN_ID", "1"), ("BUILD_BUILDID", "2")]), None);
    }
}
