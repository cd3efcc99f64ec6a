// libcrypto with a fixed amount of work: digests, ciphers and an exchange of
// keys, over the code paths that it chooses for the processor it finds.
#include "program.h"
#include <openssl/evp.h>

enum { SIZE = 16 << 10 };
static uint8_t in[SIZE], out[SIZE + 64];

static void check(int ok) {
    if (ok <= 0) {
        puts("libcrypto failed");
        exit(1);
    }
}

static uint64_t sum_of(const uint8_t *bytes, size_t length) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) sum = mix(sum, bytes[i]);
    return sum;
}

static uint64_t digest(unsigned long work, const EVP_MD *kind) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    check(EVP_DigestInit_ex(context, kind, NULL));
    while (work--) check(EVP_DigestUpdate(context, in, SIZE));
    check(EVP_DigestFinal_ex(context, hash, &length));
    return sum_of(hash, length);
}
static uint64_t sha256(unsigned long work) { return digest(work, EVP_sha256()); }
static uint64_t sha512(unsigned long work) { return digest(work, EVP_sha512()); }

static uint64_t cipher(unsigned long work, const EVP_CIPHER *kind) {
    static const uint8_t key[64] = "an ordinary key of enough bytes for everything", iv[16] = "and a nonce";
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length = 0;
    uint64_t sum = 0;
    check(EVP_EncryptInit_ex(context, kind, NULL, key, iv));
    while (work--) check(EVP_EncryptUpdate(context, out, &length, in, SIZE));
    sum = sum_of(out, (size_t)length);
    check(EVP_EncryptFinal_ex(context, out, &length));
    if (EVP_CIPHER_get_flags(kind) & EVP_CIPH_FLAG_AEAD_CIPHER) {
        check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out));
        sum = mix(sum, sum_of(out, 16));
    }
    return sum;
}
static uint64_t aes_cbc(unsigned long work) { return cipher(work, EVP_aes_128_cbc()); }
static uint64_t aes_ctr(unsigned long work) { return cipher(work, EVP_aes_256_ctr()); }
static uint64_t aes_gcm(unsigned long work) { return cipher(work, EVP_aes_128_gcm()); }
static uint64_t chacha20(unsigned long work) { return cipher(work, EVP_chacha20_poly1305()); }

static uint64_t x25519(unsigned long work) {
    uint8_t secret[32] = "a secret", public[32] = {9};
    while (work--) {
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, 32);
        size_t length = 32;
        check(key && EVP_PKEY_get_raw_public_key(key, public, &length));
        EVP_PKEY_free(key);
        secret[work % 32] ^= public[0];
    }
    return sum_of(public, 32);
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {{"sha256", sha256}, {"sha512", sha512}, {"aes-cbc", aes_cbc}, {"aes-ctr", aes_ctr}, {"aes-gcm", aes_gcm}, {"chacha20", chacha20}, {"x25519", x25519}, {0}};
    uint64_t state = 1;
    for (int i = 0; i < SIZE; i++) in[i] = (uint8_t)next_random(&state);
    return run_routine(routines, argc, argv);
}
