//! The URNs of RFC 7643 §10 and RFC 7644 §8.2, and how two of them compare.
//!
//! Invariant: URNs are compared without regard to ASCII case (reading A11) and always emitted as written here or in a schema document.

/// The core User schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core Group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of User.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Muster's extension of User: the hash of a password from another system.
pub const CREDENTIALS: &str = "urn:muster:params:scim:schemas:extension:credentials:2.0:User";
/// Muster's extension of User: what the server knows of addresses and numbers.
pub const IDENTIFIERS: &str = "urn:muster:params:scim:schemas:extension:identifiers:2.0:User";
/// The schema of the service provider configuration.
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// The schema of resource types.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The schema of schemas.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The message that answers a query.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// The message that asks a query by POST.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// The message that carries PATCH operations.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// The message that carries operations on many resources.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The message that answers it.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Muster's own members of a BulkRequest.
pub const BULK_OPTIONS: &str = "urn:muster:params:scim:api:messages:1.0:BulkRequest";
/// The message that says what was wrong.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Whether two URNs (or attribute names) are the same one.
pub fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
