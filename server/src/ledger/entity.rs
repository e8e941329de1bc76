//! The table of the ledger: rows are inserted and read, and nothing else.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "ledger_transfer")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) debit_account: String,
    pub(super) credit_account: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) cause: String,
    pub(super) cause_id: String,
    pub(super) booking_id: Option<Uuid>,
    pub(super) create_time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
