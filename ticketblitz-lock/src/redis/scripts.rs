//! The scripts, each sent by its hash.

use std::sync::LazyLock;

use super::driver;

/// A script and its hash.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) code: &'static str,
    pub(super) hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {$(
        pub(super) static $name: Script = {
            const CODE: &str = concat!($(include_str!(concat!("lua/", $file))),+);
            Script { code: CODE, hash: LazyLock::new(|| driver::Script::new(CODE).get_hash().to_owned()) }
        };
    )+};
}

scripts! {
    HOLD = "usual_hold.lua" "common.lua" "hold.lua";
    HOLD_TOGETHER = "hold_together.lua";
    GET = "common.lua" "get.lua";
    EXTEND = "common.lua" "extend.lua";
    RELEASE = "common.lua" "release.lua";
    BEGIN_COMMIT = "common.lua" "begin_commit.lua";
    ABORT_COMMIT = "common.lua" "abort_commit.lua";
    SOLD = "common.lua" "sold.lua";
    REOPEN = "common.lua" "reopen.lua";
    STATUS = "common.lua" "status.lua";
    LOAD = "common.lua" "load.lua";
    UNLOAD = "common.lua" "unload.lua";
    RECLAIM = "common.lua" "reclaim.lua";
    COLLECT = "common.lua" "collect.lua";
    LOOK = "look.lua";
    PUBLISH = "publish.lua";
    REGISTER = "register.lua";
}
