/* SPDX-License-Identifier: Apache-2.0 */
/* A quantity is mantissa * 10^exponent with a mantissa of any length (limbs of nine decimal digits, lowest
 * first) and the kind of suffix that it was written with. Decimal limbs make reading, writing, rounding and
 * moving the exponent cheap, and binary suffixes are a multiplication by a power of two. Most texts are
 * canonical already and never become a number: quantity_canonical sees that from the text alone. */
#include "schema/quantity.h"

#include "base/buffer.h"
#include "base/macros.h"

#define LIMB_BASE 1000000000u
#define LIMB_DIGITS 9
#define N_LIMBS (QUANTITY_DIGITS_MAX / LIMB_DIGITS + 4) /* room for the factor of a binary suffix */
#define NANO (-9)
#define MILLI (-3)
#define FAST_DIGITS 18 /* upstream reads numbers of up to this many digits into an int64 */

enum suffix_kind { SUFFIX_DECIMAL, SUFFIX_BINARY, SUFFIX_EXPONENT };

struct amount {
    uint8_t kind; /* enum suffix_kind */
    bool is_negative;
    uint32_t n; /* limbs in use, the highest not zero; 0: the number is 0 */
    int64_t exponent;
    uint32_t limb[N_LIMBS];
};

static const struct suffix {
    char text[3];
    uint8_t kind;
    int16_t exponent; /* of ten, or of two */
} suffixes[] = {
    {"", SUFFIX_DECIMAL, 0},   {"m", SUFFIX_DECIMAL, -3}, {"Mi", SUFFIX_BINARY, 20},
    {"Gi", SUFFIX_BINARY, 30}, {"Ki", SUFFIX_BINARY, 10}, {"k", SUFFIX_DECIMAL, 3},
    {"M", SUFFIX_DECIMAL, 6},  {"G", SUFFIX_DECIMAL, 9},  {"T", SUFFIX_DECIMAL, 12},
    {"P", SUFFIX_DECIMAL, 15}, {"E", SUFFIX_DECIMAL, 18}, {"Ti", SUFFIX_BINARY, 40},
    {"Pi", SUFFIX_BINARY, 50}, {"Ei", SUFFIX_BINARY, 60}, {"n", SUFFIX_DECIMAL, -9},
    {"u", SUFFIX_DECIMAL, -6},
};

/* --- numbers ----------------------------------------------------------------------------------------- */

static bool amount_multiply_add(struct amount *x, uint32_t factor, uint32_t carry)
{
    uint64_t rest = carry;
    for (uint32_t i = 0; i < x->n; i++) {
        rest += (uint64_t)x->limb[i] * factor;
        x->limb[i] = (uint32_t)(rest % LIMB_BASE);
        rest /= LIMB_BASE;
    }
    while (rest) {
        if (x->n == N_LIMBS)
            return false;
        x->limb[x->n++] = (uint32_t)(rest % LIMB_BASE);
        rest /= LIMB_BASE;
    }
    return true;
}

static uint32_t amount_divide(struct amount *x, uint32_t divisor) /* the remainder */
{
    uint64_t rest = 0;
    for (uint32_t i = x->n; i-- > 0;) {
        rest = rest * LIMB_BASE + x->limb[i];
        x->limb[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (x->n && !x->limb[x->n - 1])
        x->n--;
    return (uint32_t)rest;
}

static uint32_t amount_remainder(const struct amount *x, uint32_t divisor)
{
    uint64_t rest = 0;
    for (uint32_t i = x->n; i-- > 0;)
        rest = (rest * LIMB_BASE + x->limb[i]) % divisor;
    return (uint32_t)rest;
}

static uint32_t power_of_ten(int64_t n) /* n <= LIMB_DIGITS */
{
    uint32_t p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* Raises the exponent to at least this one; what is cut off rounds away from zero. True: nothing was cut off.
 */
static bool amount_round_up(struct amount *x, int64_t exponent)
{
    bool is_exact = true;
    while (x->exponent < exponent && x->n) {
        int64_t step = exponent - x->exponent < LIMB_DIGITS ? exponent - x->exponent : LIMB_DIGITS;
        if (amount_divide(x, power_of_ten(step)))
            is_exact = false;
        x->exponent += step;
    }
    if (x->exponent < exponent)
        x->exponent = exponent;
    if (!is_exact)
        amount_multiply_add(x, 1, 1); /* the division has made room */
    return is_exact;
}

/* Lowers the exponent without changing the value. False: the number gets too long. */
static bool amount_lower_exponent(struct amount *x, int64_t exponent)
{
    if (!x->n && x->exponent > exponent)
        x->exponent = exponent;
    while (x->exponent > exponent) {
        int64_t step = x->exponent - exponent < LIMB_DIGITS ? x->exponent - exponent : LIMB_DIGITS;
        if (!amount_multiply_add(x, power_of_ten(step), 0))
            return false;
        x->exponent -= step;
    }
    return true;
}

static void amount_strip_tens(struct amount *x)
{
    while (x->n && x->limb[0] == 0) {
        amount_divide(x, LIMB_BASE);
        x->exponent += LIMB_DIGITS;
    }
    while (x->n && x->limb[0] % 10 == 0) {
        amount_divide(x, 10);
        x->exponent++;
    }
}

static struct amount amount_of(uint64_t value)
{
    struct amount x = {0};
    for (; value; value /= LIMB_BASE)
        x.limb[x.n++] = (uint32_t)(value % LIMB_BASE);
    return x;
}

static int mantissa_cmp(const struct amount *x, const struct amount *y)
{
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    for (uint32_t i = x->n; i-- > 0;)
        if (x->limb[i] != y->limb[i])
            return x->limb[i] < y->limb[i] ? -1 : 1;
    return 0;
}

static int64_t amount_digits(const struct amount *x)
{
    int64_t n = x->n ? (int64_t)(x->n - 1) * LIMB_DIGITS : 0;
    for (uint32_t top = x->n ? x->limb[x->n - 1] : 0; top; top /= 10)
        n++;
    return n;
}

/* Of the values without sign. Works on copies, whose exponents are made to meet. */
static int magnitude_cmp(struct amount x, struct amount y)
{
    if (!x.n || !y.n)
        return (x.n > 0) - (y.n > 0);
    int64_t order_x = amount_digits(&x) + x.exponent, order_y = amount_digits(&y) + y.exponent;
    if (order_x != order_y)
        return order_x < order_y ? -1 : 1;
    /* Of equal order, the longer one's length is enough for both, so neither call fails. */
    amount_lower_exponent(&x, y.exponent);
    amount_lower_exponent(&y, x.exponent);
    return mantissa_cmp(&x, &y);
}

static int amount_sign(const struct amount *x)
{
    return !x->n ? 0 : x->is_negative ? -1 : 1;
}

static int amount_cmp(const struct amount *x, const struct amount *y)
{
    if (amount_sign(x) != amount_sign(y))
        return amount_sign(x) < amount_sign(y) ? -1 : 1;
    int c = magnitude_cmp(*x, *y);
    return x->is_negative ? -c : c;
}

static bool mantissa_add(struct amount *x, const struct amount *y)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < x->n || i < y->n || carry; i++) {
        if (i == N_LIMBS)
            return false;
        carry += (uint64_t)(i < x->n ? x->limb[i] : 0) + (i < y->n ? y->limb[i] : 0);
        x->limb[i] = (uint32_t)(carry % LIMB_BASE);
        carry /= LIMB_BASE;
        if (i >= x->n)
            x->n = i + 1;
    }
    return true;
}

static void mantissa_sub(struct amount *x, const struct amount *y) /* x is the larger */
{
    int64_t borrow = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        int64_t d = (int64_t)x->limb[i] - (i < y->n ? y->limb[i] : 0) - borrow;
        borrow = d < 0;
        x->limb[i] = (uint32_t)(d < 0 ? d + LIMB_BASE : d);
    }
    while (x->n && !x->limb[x->n - 1])
        x->n--;
}

/* x += y; false when they are too far apart */
static bool amount_add(struct amount *x, struct amount y)
{
    if (!x->n || !y.n) {
        if (!x->n)
            *x = y;
        return true;
    }
    amount_strip_tens(x);
    amount_strip_tens(&y);
    if (!amount_lower_exponent(x, y.exponent) || !amount_lower_exponent(&y, x->exponent))
        return false;
    if (x->is_negative == y.is_negative)
        return mantissa_add(x, &y);
    if (mantissa_cmp(x, &y) < 0) {
        struct amount larger = y;
        larger.kind = x->kind;
        y = *x;
        *x = larger;
    }
    mantissa_sub(x, &y);
    return true;
}

/* --- reading ----------------------------------------------------------------------------------------- */

static const char wrong_format[] =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
static const char wrong_number[] = "unable to parse numeric part of quantity";
static const char wrong_suffix[] = "unable to parse quantity's suffix";

struct parts {
    bool is_negative;
    struct text whole, fraction; /* digits; whole without leading zeros */
    uint8_t kind;
    int64_t exponent; /* the suffix's: of two when kind is binary, else of ten */
};

static struct text digits_at(struct text t, size_t i)
{
    size_t n = 0;
    while (i + n < t.n && t.p[i + n] >= '0' && t.p[i + n] <= '9')
        n++;
    return text_first(text_from(t, i), n);
}

static bool read_suffix(struct text t, struct parts *p)
{
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        if (text_is(t, suffixes[i].text)) {
            p->kind = suffixes[i].kind;
            p->exponent = suffixes[i].exponent;
            return true;
        }
    }
    if (t.n < 2 || (t.p[0] != 'e' && t.p[0] != 'E'))
        return false;
    bool has_plus = t.p[1] == '+';
    struct text number = text_from(t, has_plus ? 2 : 1);
    p->kind = SUFFIX_EXPONENT;
    return !(has_plus && digits_at(number, 0).n == 0) && text_to_i64(number, &p->exponent) &&
           p->exponent >= INT32_MIN && p->exponent <= INT32_MAX;
}

/* Takes the text apart. Upstream's scanner is lenient: "." and "-" are zero, and so is a suffix alone. */
static const char *read_parts(struct text t, struct parts *p)
{
    size_t i = 0;
    *p = (struct parts){0};
    if (!t.n)
        return wrong_format;
    if (t.p[0] == '-' || t.p[0] == '+')
        p->is_negative = t.p[i++] == '-';
    while (i < t.n && t.p[i] == '0')
        i++;
    p->whole = digits_at(t, i);
    i += p->whole.n;
    if (i < t.n && t.p[i] == '.') {
        p->fraction = digits_at(t, i + 1);
        i += 1 + p->fraction.n;
    }
    struct text suffix = text_from(t, i);
    while (i < t.n && t.p[i] && strchr("eEinumkKMGTP", t.p[i]))
        i++;
    if (i < t.n && (t.p[i] == '-' || t.p[i] == '+'))
        i++;
    if (i + digits_at(t, i).n < t.n)
        return wrong_format;
    if (!read_suffix(suffix, p))
        return wrong_suffix;
    return p->whole.n + p->fraction.n > QUANTITY_DIGITS_MAX ? wrong_number : NULL;
}

static bool ends_in_thousands(const struct parts *p)
{
    size_t n = p->whole.n + p->fraction.n;
    for (size_t i = 1; i <= 3; i++) {
        if (n < i)
            return false;
        size_t at = n - i;
        if ((at < p->whole.n ? p->whole.p[at] : p->fraction.p[at - p->whole.n]) != '0')
            return false;
    }
    return true;
}

/* Whether upstream keeps the text as it came: its fast path took the number and sees no reason to rewrite it.
 */
static bool stays_as_written(const struct parts *p)
{
    int64_t n_whole = p->whole.n ? (int64_t)p->whole.n : 1;
    if (p->kind == SUFFIX_BINARY) {
        if (p->fraction.n || 15 - n_whole - p->exponent * 3 / 10 - 1 < 0)
            return false;
        uint64_t value = 0;
        for (size_t i = 0; i < p->whole.n; i++)
            value = value * 10 + (uint64_t)(p->whole.p[i] - '0');
        return (value & 7) != 0;
    }
    int64_t scale = p->exponent - (int64_t)p->fraction.n;
    return p->whole.n && n_whole + (int64_t)p->fraction.n <= FAST_DIGITS && scale >= NANO && scale % 3 == 0 &&
           !ends_in_thousands(p);
}

/* A binary number is at most 2^63-1 upstream, and below 1 it is written as a decimal one. */
static void bound_binary(struct amount *x)
{
    struct amount largest = amount_of(INT64_MAX);
    if (magnitude_cmp(*x, largest) > 0) {
        largest.kind = x->kind;
        largest.is_negative = x->is_negative;
        *x = largest;
    }
    if (x->n && magnitude_cmp(*x, amount_of(1)) < 0)
        x->kind = SUFFIX_DECIMAL;
}

static bool parts_to_amount(const struct parts *p, struct amount *x)
{
    *x = (struct amount){.kind = p->kind, .is_negative = p->is_negative};
    for (size_t i = 0; i < p->whole.n + p->fraction.n; i++) {
        char c = i < p->whole.n ? p->whole.p[i] : p->fraction.p[i - p->whole.n];
        if (!amount_multiply_add(x, 10, (uint32_t)(c - '0')))
            return false;
    }
    if (!x->n)
        return true;
    x->exponent = -(int64_t)p->fraction.n;
    if (p->kind != SUFFIX_BINARY) {
        x->exponent += p->exponent;
        amount_round_up(x, NANO);
        return true;
    }
    for (int64_t i = 0; i < p->exponent; i += 10)
        if (!amount_multiply_add(x, 1024, 0))
            return false;
    amount_round_up(x, NANO);
    bound_binary(x);
    return true;
}

static bool amount_read(struct text t, struct amount *x)
{
    struct parts p;
    return !read_parts(t, &p) && parts_to_amount(&p, x);
}

static struct amount amount_or_zero(struct text t)
{
    struct amount x;
    return amount_read(t, &x) ? x : (struct amount){0};
}

/* --- writing ----------------------------------------------------------------------------------------- */

static const char *suffix_text(enum suffix_kind kind, int64_t exponent)
{
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++)
        if (suffixes[i].kind == kind && suffixes[i].exponent == exponent)
            return suffixes[i].text;
    return "";
}

static void write_mantissa(struct buffer *b, const struct amount *x)
{
    if (x->is_negative)
        buffer_add_char(b, '-');
    buffer_add_u64(b, x->limb[x->n - 1]);
    for (uint32_t i = x->n - 1; i-- > 0;)
        buffer_addf(b, "%09u", (unsigned)x->limb[i]);
}

/* Only if a binary suffix loses nothing, and from 1024 on. */
static bool write_binary(struct buffer *b, struct amount x)
{
    if (magnitude_cmp(x, amount_of(1024)) < 0 || !amount_round_up(&x, 0) || !amount_lower_exponent(&x, 0))
        return false;
    int exponent = 0;
    while (exponent < 60 && amount_remainder(&x, 1024) == 0) {
        amount_divide(&x, 1024);
        exponent += 10;
    }
    write_mantissa(b, &x);
    buffer_add_str(b, suffix_text(SUFFIX_BINARY, exponent));
    return true;
}

/* The largest exponent that is a multiple of three and needs no fraction. Suffixes end at E: upstream drops
 * what goes beyond and so changes the value; here the mantissa grows instead. */
static bool write_decimal(struct buffer *b, struct amount x)
{
    amount_strip_tens(&x);
    int64_t exponent = x.exponent - ((x.exponent % 3) + 3) % 3;
    if (x.kind != SUFFIX_EXPONENT && exponent > 18)
        exponent = 18;
    /* What is written must be readable again. */
    if (!amount_lower_exponent(&x, exponent) || amount_digits(&x) > QUANTITY_DIGITS_MAX)
        return false;
    write_mantissa(b, &x);
    if (x.kind != SUFFIX_EXPONENT)
        buffer_add_str(b, suffix_text(SUFFIX_DECIMAL, exponent));
    else if (exponent)
        buffer_addf(b, "e%lld", (long long)exponent);
    return true;
}

static bool amount_write(struct arena *a, const struct amount *x, struct text *ret)
{
    if (!x->n) {
        *ret = TEXT("0");
        return true;
    }
    struct buffer b = BUFFER_IN(a);
    if (!(x->kind == SUFFIX_BINARY && write_binary(&b, *x)) && !write_decimal(&b, *x))
        return false;
    *ret = buffer_text(&b);
    return true;
}

/* The value in units of 10^exponent. */
static int64_t amount_scaled(struct amount x, int64_t exponent)
{
    int64_t at_most = x.is_negative ? INT64_MIN : INT64_MAX;
    amount_round_up(&x, exponent);
    if (!x.n)
        return 0;
    if (amount_digits(&x) + x.exponent - exponent > 19 || !amount_lower_exponent(&x, exponent))
        return at_most;
    unsigned __int128 value = 0;
    for (uint32_t i = x.n; i-- > 0;)
        value = value * LIMB_BASE + x.limb[i];
    if (value > (unsigned __int128)INT64_MAX)
        return at_most;
    return x.is_negative ? -(int64_t)value : (int64_t)value;
}

/* --- the contract ------------------------------------------------------------------------------------ */

const char *quantity_problem(struct text t)
{
    struct parts p;
    return read_parts(t, &p);
}

bool quantity_canonical(struct arena *a, struct text t, struct text *ret)
{
    struct parts p;
    struct amount x;
    if (read_parts(t, &p))
        return false;
    if (stays_as_written(&p)) {
        *ret = t;
        return true;
    }
    return parts_to_amount(&p, &x) && amount_write(a, &x, ret);
}

int quantity_cmp(struct text x, struct text y)
{
    struct amount m = amount_or_zero(x), n = amount_or_zero(y);
    return amount_cmp(&m, &n);
}

int quantity_sign(struct text t)
{
    struct amount x = amount_or_zero(t);
    return amount_sign(&x);
}

int64_t quantity_value(struct text t)
{
    return amount_scaled(amount_or_zero(t), 0);
}

int64_t quantity_milli_value(struct text t)
{
    return amount_scaled(amount_or_zero(t), MILLI);
}

static bool add(struct arena *a, struct text x, struct text y, bool is_subtraction, struct text *ret)
{
    struct amount m, n;
    if (!amount_read(x, &m) || !amount_read(y, &n))
        return false;
    if (is_subtraction)
        n.is_negative = !n.is_negative;
    return amount_add(&m, n) && amount_write(a, &m, ret);
}

bool quantity_add(struct arena *a, struct text x, struct text y, struct text *ret)
{
    return add(a, x, y, false, ret);
}

bool quantity_sub(struct arena *a, struct text x, struct text y, struct text *ret)
{
    return add(a, x, y, true, ret);
}

bool quantity_round_milli(struct arena *a, struct text t, struct text *ret)
{
    struct amount x;
    if (!amount_read(t, &x))
        return false;
    if (x.exponent >= MILLI)
        return quantity_canonical(a, t, ret);
    amount_round_up(&x, MILLI);
    return amount_write(a, &x, ret);
}

static struct text of(struct arena *a, int64_t value, int64_t exponent, enum suffix_kind kind)
{
    struct amount x = amount_of(value < 0 ? -(uint64_t)value : (uint64_t)value);
    struct text t = TEXT("0");
    x.kind = (uint8_t)kind;
    x.is_negative = value < 0;
    x.exponent = exponent;
    amount_write(a, &x, &t); /* 19 digits always fit */
    return t;
}

struct text quantity_of(struct arena *a, int64_t value, bool is_binary)
{
    return of(a, value, 0, is_binary ? SUFFIX_BINARY : SUFFIX_DECIMAL);
}

struct text quantity_of_milli(struct arena *a, int64_t milli)
{
    return of(a, milli, MILLI, SUFFIX_DECIMAL);
}
