//! Tokens: access tokens are JWTs signed with EdDSA, refresh tokens are a signed session and generation.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::Session;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::caller::SessionId;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::keyring::Purpose;

/// Verified tokens that are remembered: checking a signature takes longer than all else of a small call.
const REMEMBERED: u64 = 50_000;
const LONGEST: usize = 4096;

/// How long tokens live, and who signs them.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The life of an access token.
    pub access_life: TimeDelta,
    /// The life of a session that is not refreshed.
    pub refresh_life: TimeDelta,
}

/// What an access token says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    pub(super) member: MemberId,
    pub(super) session: SessionId,
    pub(super) expire_time: Time,
}

/// What a client is given.
#[derive(Clone, Debug)]
pub(super) struct TokenPair {
    pub(super) access: String,
    pub(super) access_expire_time: Time,
    pub(super) refresh: String,
    pub(super) refresh_expire_time: Time,
    pub(super) session: SessionId,
}

#[derive(Deserialize, Serialize)]
struct JwtClaims {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

pub(super) struct Tokens {
    kit: Kit,
    settings: TokenSettings,
    signer: (Header, EncodingKey),
    verifiers: Vec<(String, DecodingKey)>,
    verified: Cache<Arc<str>, Claims>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(kit: Kit, settings: TokenSettings) -> Self {
        // Already installed by another server in this process: it is the same provider.
        _ = PROVIDER.install_default();
        let newest = &kit.keys.signing()[0];
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(newest.id.clone());
        let signer = (header, EncodingKey::from_ed_der(&newest.pkcs8));
        let verifiers =
            kit.keys.signing().iter().map(|key| (key.id.clone(), DecodingKey::from_ed_der(&key.public))).collect();
        Self { settings, signer, verifiers, verified: Cache::new(REMEMBERED), kit }
    }

    pub(super) fn refresh_life(&self) -> TimeDelta {
        self.settings.refresh_life
    }

    pub(super) fn issue(&self, session: &Session, now: Time) -> Result<TokenPair, Error> {
        let access_expire_time = (now + self.settings.access_life).min(session.expire_time);
        let claims = JwtClaims {
            iss: self.settings.issuer.clone(),
            sub: session.member.to_string(),
            sid: session.id.to_string(),
            iat: now.timestamp(),
            exp: access_expire_time.timestamp(),
        };
        let (header, key) = &self.signer;
        Ok(TokenPair {
            access: jsonwebtoken::encode(header, &claims, key).map_err(Error::internal)?,
            access_expire_time,
            refresh: self.refresh_token(session.id, session.generation),
            refresh_expire_time: session.expire_time,
            session: session.id,
        })
    }

    /// What a good access token says; whether its session still lives is another question.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let claims = match self.verified.get(token) {
            Some(claims) => claims,
            None => {
                let claims = self.verify_signature(token)?;
                self.verified.insert(token.into(), claims);
                claims
            }
        };
        (self.kit.clock.now() < claims.expire_time).then_some(claims)
    }

    fn verify_signature(&self, token: &str) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let (_, key) = self.verifiers.iter().find(|(known, _)| *known == id)?;
        // The algorithm is ours to say, never the token's: `none` and HMAC with a public key are refused here.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.settings.issuer]);
        // Checked against our own clock instead.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let claims = jsonwebtoken::decode::<JwtClaims>(token, key, &validation).ok()?.claims;
        Some(Claims {
            member: claims.sub.parse().ok()?,
            session: claims.sid.parse().ok()?,
            expire_time: Time::from_timestamp(claims.exp, 0)?,
        })
    }

    /// A refresh token is not kept anywhere: who has the session's id and generation and our key can make it again, which is
    /// how two parallel refreshes are given the same successor.
    fn refresh_token(&self, session: SessionId, generation: i64) -> String {
        let message = refresh_message(session, generation);
        let mac = self.kit.keys.mac(Purpose::Token, &message);
        URL_SAFE_NO_PAD.encode([&message[..], &mac].concat())
    }

    /// The session and generation of a refresh token that we made.
    pub(super) fn read_refresh(&self, token: &str) -> Option<(SessionId, i64)> {
        if token.len() > LONGEST {
            return None;
        }
        let bytes: [u8; 56] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (message, mac) = bytes.split_first_chunk::<24>()?;
        if !self.kit.keys.verify(Purpose::Token, message, mac) {
            return None;
        }
        let (session, generation) = message.split_first_chunk::<16>()?;
        Some((SessionId(Uuid::from_bytes(*session)), i64::from_be_bytes(generation.try_into().ok()?)))
    }

    pub(super) fn jwks(&self) -> String {
        let keys: Vec<_> = self
            .kit
            .keys
            .signing()
            .iter()
            .map(|key| {
                serde_json::json!({
                    "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                    "kid": key.id, "x": URL_SAFE_NO_PAD.encode(&key.public),
                })
            })
            .collect();
        serde_json::json!({ "keys": keys }).to_string()
    }
}

fn refresh_message(session: SessionId, generation: i64) -> [u8; 24] {
    let mut message = [0; 24];
    message[..16].copy_from_slice(session.0.as_bytes());
    message[16..].copy_from_slice(&generation.to_be_bytes());
    message
}

/// EdDSA by *ring*, which TLS brings anyway: the providers that come with `jsonwebtoken` bring RSA and more C.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes());
            Ok(Box::new(Signer(pair.map_err(|_| JwtError::from(ErrorKind::InvalidEddsaKey))?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => Ok(Box::new(Verifier(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec())))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Signer(Ed25519KeyPair);

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifier(UnparsedPublicKey<Vec<u8>>);

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
