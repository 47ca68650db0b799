//! What makes a ticket one of its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::TicketId;

/// An id, and a code of 128 random bits: nobody guesses another's.
pub(crate) fn fresh() -> (TicketId, String) {
    (TicketId::new(), URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
}
