//! Accounts in SQLite.

use async_trait::async_trait;
use platform::auth::Role;
use ticketblitz_core::sqlite::{self, Sqlite, SqliteConnection};
use ticketblitz_core::{Timestamp, UserId};

use super::{NewFamily, Rotated, Rotation, Store};
use crate::domain::{FamilyId, NewUser, User};
use crate::error::StoreError;
use crate::token::{Seed, TokenDigest};

/// Accounts in a database that has this crate's migrations.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
}

impl SqliteStore {
    pub fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

struct UserRow {
    id: UserId,
    email: String,
    name: String,
    role: String,
    password_hash: Option<String>,
}

impl sqlite::FromRow for UserRow {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            password_hash: row.try_get("password_hash")?,
        })
    }
}

impl UserRow {
    fn into_user(self) -> Result<(User, Option<String>), StoreError> {
        let role = parse_role(&self.role)?;
        Ok((User { id: self.id, email: self.email, name: self.name, role }, self.password_hash))
    }
}

fn parse_role(text: &str) -> Result<Role, StoreError> {
    [Role::User, Role::Organizer, Role::Admin]
        .into_iter()
        .find(|role| role.to_string() == text)
        .ok_or_else(|| sqlite::Error::decode(format!("no role is called {text:?}")).into())
}

#[async_trait]
impl Store for SqliteStore {
    async fn create(&self, user: &NewUser, family: Option<&NewFamily>) -> Result<(), StoreError> {
        let (user, family) = (user.clone(), family.cloned());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    insert_user(conn, &user).await?;
                    match family {
                        Some(family) => insert_family(conn, &family).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    async fn create_first_admin(&self, user: &NewUser) -> Result<bool, StoreError> {
        let user = user.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let exists = has_admin(&mut *conn).await?;
                    if !exists {
                        insert_user(conn, &user).await?;
                    }
                    Ok(!exists)
                })
            })
            .await
    }

    async fn has_admin(&self) -> Result<bool, StoreError> {
        has_admin(&mut *self.db.readers().acquire()?).await
    }

    async fn by_email(&self, key: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        sqlite::query_as::<UserRow>(
            "SELECT id, email, name, role, password_hash FROM users WHERE email_key = $1",
        )
        .bind(key)
        .fetch_optional(self.db.readers())
        .await?
        .map(UserRow::into_user)
        .transpose()
    }

    async fn by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        user_by_id(&mut *self.db.readers().acquire()?, id).await
    }

    async fn open_family(&self, family: &NewFamily, now: Timestamp) -> Result<(), StoreError> {
        let family = family.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    sqlite::query("DELETE FROM refresh_families WHERE user_id = $1 AND expires_at <= $2")
                        .bind(family.user)
                        .bind(now)
                        .execute(&mut *conn)
                        .await?;
                    insert_family(conn, &family).await
                })
            })
            .await
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let rotation = rotation.clone();
        self.db.write(move |conn| Box::pin(async move { rotate(conn, &rotation).await })).await
    }

    async fn end_family(&self, digest: &TokenDigest, now: Timestamp) -> Result<(), StoreError> {
        let digest = digest.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    match find_token(&mut *conn, &digest).await? {
                        Some(token) => end_family(conn, token.family_id, now).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.db.write(move |conn| Box::pin(forget_sessions(conn, before, limit))).await
    }

    async fn signing_seed(&self, candidate: &Seed, now: Timestamp) -> Result<Seed, StoreError> {
        let candidate = candidate.clone();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    sqlite::query(
                        "INSERT INTO signing_key (id, seed, created_at) VALUES (1, $1, $2)
                         ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(candidate.as_bytes())
                    .bind(now)
                    .execute(&mut *conn)
                    .await?;
                    let seed: Vec<u8> =
                        sqlite::query_scalar("SELECT seed FROM signing_key").fetch_one(conn).await?;
                    Seed::from_bytes(&seed)
                        .ok_or_else(|| sqlite::Error::decode("the signing key is not 32 bytes long").into())
                })
            })
            .await
    }
}

/// Tokens first: a family goes with its tokens, and there is no limit to how many it has.
async fn forget_sessions(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let tokens = sqlite::query(
        "DELETE FROM refresh_tokens WHERE digest IN
             (SELECT digest FROM refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    );
    let tokens = tokens.bind(before).bind(limit).execute(&mut *conn).await?;
    let left = u64::from(limit).saturating_sub(tokens);
    let families = sqlite::query(
        "DELETE FROM refresh_families WHERE id IN
             (SELECT f.id FROM refresh_families f WHERE f.expires_at < $1
                  AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family_id = f.id)
              ORDER BY f.expires_at LIMIT $2)",
    );
    let left = i64::try_from(left).unwrap_or(0);
    let families = families.bind(before).bind(left).execute(conn).await?;
    Ok(tokens + families)
}

async fn has_admin(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    let exists = sqlite::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'ADMIN')");
    Ok(exists.fetch_one(conn).await?)
}

async fn user_by_id(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> =
        sqlite::query_as("SELECT id, email, name, role, password_hash FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(UserRow::into_user).transpose()?.map(|(user, _)| user))
}

async fn insert_user(conn: &mut SqliteConnection, user: &NewUser) -> Result<(), StoreError> {
    sqlite::query(
        "INSERT INTO users (id, email, email_key, name, role, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(user.id)
    .bind(user.email.as_str())
    .bind(user.email.key())
    .bind(user.name.as_str())
    .bind(user.role.to_string())
    .bind(user.password_hash.as_deref())
    .bind(user.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_family(conn: &mut SqliteConnection, family: &NewFamily) -> Result<(), StoreError> {
    sqlite::query("INSERT INTO refresh_families (id, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(family.id)
        .bind(family.user)
        .bind(family.expires_at)
        .execute(&mut *conn)
        .await?;
    insert_token(conn, &family.digest, family.id, family.expires_at).await
}

async fn insert_token(
    conn: &mut SqliteConnection,
    digest: &TokenDigest,
    family: FamilyId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlite::query("INSERT INTO refresh_tokens (digest, family_id, expires_at) VALUES ($1, $2, $3)")
        .bind(digest.as_bytes())
        .bind(family)
        .bind(expires_at)
        .execute(conn)
        .await?;
    Ok(())
}

struct TokenRow {
    family_id: FamilyId,
    user_id: UserId,
    expires_at: Timestamp,
    spent_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl sqlite::FromRow for TokenRow {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            family_id: row.try_get("family_id")?,
            user_id: row.try_get("user_id")?,
            expires_at: row.try_get("expires_at")?,
            spent_at: row.try_get("spent_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

async fn find_token(
    conn: &mut SqliteConnection,
    digest: &TokenDigest,
) -> Result<Option<TokenRow>, StoreError> {
    let row = sqlite::query_as(
        "SELECT t.family_id, f.user_id, t.expires_at, t.spent_at, f.ended_at
         FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id
         WHERE t.digest = $1",
    )
    .bind(digest.as_bytes())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

async fn end_family(conn: &mut SqliteConnection, family: FamilyId, now: Timestamp) -> Result<(), StoreError> {
    sqlite::query("UPDATE refresh_families SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(family)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

async fn rotate(conn: &mut SqliteConnection, rotation: &Rotation) -> Result<Rotated, StoreError> {
    let Some(token) = find_token(&mut *conn, &rotation.spent).await? else { return Ok(Rotated::Refused) };
    if token.ended_at.is_some() {
        return Ok(Rotated::Refused);
    }
    if token.spent_at.is_some() {
        // Answered as a success of the transaction: the family's end must be kept.
        end_family(conn, token.family_id, rotation.now).await?;
        return Ok(Rotated::Reused);
    }
    if token.expires_at <= rotation.now {
        return Ok(Rotated::Refused);
    }
    let Some(user) = user_by_id(&mut *conn, token.user_id).await? else { return Ok(Rotated::Refused) };
    sqlite::query("UPDATE refresh_tokens SET spent_at = $2 WHERE digest = $1")
        .bind(rotation.spent.as_bytes())
        .bind(rotation.now)
        .execute(&mut *conn)
        .await?;
    // A spent token that has expired as well is refused either way; a long session need not keep them all.
    sqlite::query("DELETE FROM refresh_tokens WHERE family_id = $1 AND expires_at <= $2")
        .bind(token.family_id)
        .bind(rotation.now)
        .execute(&mut *conn)
        .await?;
    sqlite::query("UPDATE refresh_families SET expires_at = $2 WHERE id = $1")
        .bind(token.family_id)
        .bind(rotation.next_expires_at)
        .execute(&mut *conn)
        .await?;
    insert_token(conn, &rotation.next, token.family_id, rotation.next_expires_at).await?;
    Ok(Rotated::Renewed(user))
}
