//! Who a client is, and which destinations it may use.
//!
//! | question | answered by |
//! |---|---|
//! | Who is the client? | [`Authenticator`]: tokens and passwords of a table, [JSON Web Tokens](Jwt), or your own function |
//! | Until when? | [`Claims::expires_at`] |
//! | Which destinations may it use? | [`Rules`], by the [`Permissions`] that its token has, or those of all users |
//!
//! Where credentials are looked for is up to [`Sources`](sansocket_realtime::guard::Sources).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sansocket_realtime::guard::{Credentials, Source, TokenTable};
//! use sansocket_realtime::hub::Authorization;
//! use sansocket_server::access::{Authenticator, Claims, Permissions, Rules};
//!
//! let orders = Permissions::none().publish("/topic/orders/**")?;
//! let tokens = TokenTable::new().token("abc", Claims::new().permissions(orders).of("orders"));
//! let authenticator = Authenticator::new().tokens(tokens);
//!
//! let credentials = Credentials::token(Source::Bearer, "abc");
//! let orders = authenticator.authenticate(Some(&credentials)).await?;
//!
//! let rules = Rules::default();
//! assert!(rules.may_send(orders.as_ref(), "/topic/orders/42"));
//! assert!(!rules.may_send(orders.as_ref(), "/topic/prices"));
//! assert!(!rules.may_send(None, "/topic/orders/42"));
//! # Ok(())
//! # }
//! ```

mod authenticator;
mod claims;
mod jwt;
mod keys;
mod pattern;
mod permissions;
mod rules;

pub use authenticator::Authenticator;
pub use claims::Claims;
pub use jwt::{Jwt, JwtOptions};
pub use keys::{JwtAlgorithm, JwtKey, JwtKeyError};
pub use pattern::{DestinationPattern, InvalidDestinationPattern};
pub use permissions::Permissions;
pub use rules::Rules;
