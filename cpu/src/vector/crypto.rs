//! Steps of ciphers and hashes (SDM 1, 12.13; SDM 2, AESENC, PCLMULQDQ, SHA1RNDS4).

pub(super) mod aes;
mod galois;
pub(super) mod sha;

/// Two vectors, one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoOp {
    /// One round of encryption (AESENC).
    AesEncrypt,
    /// The last round of encryption (AESENCLAST).
    AesEncryptLast,
    /// One round of decryption (AESDEC).
    AesDecrypt,
    /// The last round of decryption (AESDECLAST).
    AesDecryptLast,
    /// Help with a round key of the second, with this constant (AESKEYGENASSIST).
    AesKey(u8),
    /// The product without carries of two qwords, chosen by bits 0 and 4 (PCLMULQDQ).
    CarrylessMul(u8),
    /// Products in the field of 256 elements (GF2P8MULB).
    GaloisMul,
    /// Bytes of the first times bit matrices of the second, plus a constant (GF2P8AFFINEQB).
    GaloisAffine(u8),
    /// The same of the bytes' inverses (GF2P8AFFINEINVQB).
    GaloisAffineInverse(u8),
    /// SHA-1: four rounds with the function that bits 0 and 1 choose (SHA1RNDS4).
    Sha1Rounds(u8),
    /// SHA-1: E after four rounds (SHA1NEXTE).
    Sha1NextE,
    /// SHA-1: the schedule, first part (SHA1MSG1).
    Sha1Schedule1,
    /// SHA-1: the schedule, second part (SHA1MSG2).
    Sha1Schedule2,
    /// SHA-256: the schedule, first part (SHA256MSG1).
    Sha256Schedule1,
    /// SHA-256: the schedule, second part (SHA256MSG2).
    Sha256Schedule2,
}

impl CryptoOp {
    /// The operation on 128 bits.
    #[must_use]
    pub fn apply(self, a: u128, b: u128) -> u128 {
        match self {
            Self::AesEncrypt => aes::encrypt_round(a) ^ b,
            Self::AesEncryptLast => aes::encrypt(a) ^ b,
            Self::AesDecrypt => aes::decrypt_round(a) ^ b,
            Self::AesDecryptLast => aes::decrypt(a) ^ b,
            Self::AesKey(constant) => aes::key(b, constant),
            Self::CarrylessMul(choice) => {
                let a = (a >> (64 * u32::from(choice & 1))) as u64;
                let b = (b >> (64 * u32::from(choice >> 4 & 1))) as u64;
                galois::carryless_product(a, b)
            }
            Self::GaloisMul => galois::products(a, b),
            Self::GaloisAffine(constant) => galois::affine(a, b, constant),
            Self::GaloisAffineInverse(constant) => galois::affine(galois::inverses(a), b, constant),
            Self::Sha1Rounds(function) => sha::sha1_rounds(a, b, function),
            Self::Sha1NextE => sha::sha1_next_e(a, b),
            Self::Sha1Schedule1 => sha::sha1_schedule1(a, b),
            Self::Sha1Schedule2 => sha::sha1_schedule2(a, b),
            Self::Sha256Schedule1 => sha::sha256_schedule1(a, b),
            Self::Sha256Schedule2 => sha::sha256_schedule2(a, b),
        }
    }
}
