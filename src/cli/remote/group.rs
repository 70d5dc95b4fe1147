//! Reads a whole group, page by page.

use crate::client::Reader;
use crate::group::{Group, Pages};
use crate::model::{OperatorId, ReadError};
use crate::wire::{GroupRequest, MOST_MEMBERS, UserInfo};

/// Every member of the account's group, asked for in the name of this operator.
pub(crate) async fn read(reader: &Reader<'_>, operator: &OperatorId) -> Result<Group, ReadError> {
    let mut pages = Pages::default();
    while let Some(offset) = pages.next() {
        let request = GroupRequest {
            operator: UserInfo {
                user_id: operator.as_str().to_owned(),
            },
            limit: MOST_MEMBERS,
            offset,
            id: None,
        };
        pages.take(reader.group(&request).await?);
    }
    Ok(pages.finish())
}
