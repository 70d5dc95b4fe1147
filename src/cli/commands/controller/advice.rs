//! Advice that is always the same, in both languages of notifications.

/// In English and in Chinese.
pub(super) type Advice = (&'static str, &'static str);

pub(super) const APPROVE: Advice = (
    "To approve exactly these calls: ",
    "如需批准，只放行这些调用：",
);
pub(super) const SUSPENDED: Advice = (
    "Approvals are refused while the controller is suspended.",
    "暂停期间不接受批准。",
);
pub(super) const NO_TOKEN: Advice = (
    "Approvals need a token: restart the controller with ESS_CALLBACKS_CONTROLLER_TOKEN or --token-file.",
    "批准需要令牌：请设置 ESS_CALLBACKS_CONTROLLER_TOKEN 或 --token-file 后重启控制器。",
);
pub(super) const FINAL: Advice = (
    "No approval overrides this. Correct the files.",
    "批准也不能放行，请修改配置文件。",
);
pub(super) const LAST_GOOD: Advice = (
    "Its last good version stays in force until it is corrected, and no organization is taken for removed.",
    "修正之前沿用它最后一个正确的版本，也不会把任何组织当作已移除。",
);
pub(super) const NEVER_GOOD: Advice = (
    "Until it is corrected, nothing is called for its organizations, and nothing that is not declared is deleted.",
    "修正之前不处理其中的组织，也不会删除任何未声明的回调。",
);
/// The organizations follow, each with how many.
pub(super) const DELETES_WAIT: Advice = ("Deletes wait for that: ", "等待删除：");
pub(super) const NO_SECRETS: Advice = (
    "Nothing is called for the organizations of this file until its secrets can be read.",
    "在能读到机密之前，不处理这个文件里的组织。",
);
pub(super) const RESTART: Advice = (
    "Environment variables are read at the start: set them and restart the controller.",
    "环境变量只在启动时读取：请设置之后重启控制器。",
);
pub(super) const BEHIND: Advice = (
    "Nothing is called until this replica has newer files. If it is these that are right, `touch` one of them.",
    "在本副本拿到更新的文件之前，不发起任何调用。如果应以现有文件为准，请对其中一个执行 `touch`。",
);
pub(super) const LOCKED: Advice = (
    "Changes wait until it ends. If it hangs, end it. If its machine is gone, free the lock with `ess-callbacks unlock` and the \
     lock id.",
    "变更要等它结束。如果它卡住了，请结束它；如果它所在的机器已不存在，请用 `ess-callbacks unlock` 和锁的 ID 释放它。",
);
pub(super) const AGAIN: Advice = ("It is tried again by itself.", "程序会自动重试。");

const ALL: [Advice; 12] = [
    APPROVE,
    SUSPENDED,
    NO_TOKEN,
    FINAL,
    LAST_GOOD,
    NEVER_GOOD,
    DELETES_WAIT,
    NO_SECRETS,
    RESTART,
    BEHIND,
    LOCKED,
    AGAIN,
];

/// The line with its advice in Chinese. What eSign or a file said stays as it is.
pub(super) fn in_chinese(line: &str) -> String {
    let replaced = |line: String, (english, chinese): &Advice| line.replace(english, chinese);
    ALL.iter().fold(line.to_owned(), replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_chinese() {
        let line = format!("{} {}", NO_SECRETS.0, RESTART.0);
        assert_eq!(
            in_chinese(&line),
            "在能读到机密之前，不处理这个文件里的组织。 环境变量只在启动时读取：请设置之后重启控制器。"
        );
        assert_eq!(in_chinese("check the network"), "check the network");
    }
}
