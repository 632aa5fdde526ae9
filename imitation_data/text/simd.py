"""Vector instructions that numba does not offer by itself, written as LLVM IR of any target."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64  # bytes looked at together; the masks are uint64
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, LANES)


def _all(value: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _mask(builder: ir.IRBuilder, flags: Any) -> Any:
    return builder.bitcast(flags, _WORD)


def _pointer(builder: ir.IRBuilder, address: Any, kind: ir.Type) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _between(builder: ir.IRBuilder, value: Any, first: int, last: int) -> Any:
    low = builder.sub(value, _all(first))
    return builder.icmp_unsigned("<=", low, _all(last - first))


@intrinsic
def _lower_block(typingctx: Any, source: Any, target: Any) -> Any:
    """Copy 64 bytes in lower case from one address to another.

    Returns:
        Three masks of 64 bits: bytes of words (letters and digits of ASCII), bytes that are tokens
        of their own (signs), bytes beyond ASCII.
    """
    three = types.UniTuple(types.uint64, 3)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        read = _pointer(builder, args[0], _VECTOR)
        text = builder.load(read, align=1)
        upper = _between(builder, text, ord("A"), ord("Z"))
        lower = builder.select(upper, builder.or_(text, _all(0x20)), text)
        builder.store(lower, _pointer(builder, args[1], _VECTOR), align=1)
        letters = _between(builder, lower, ord("a"), ord("z"))
        words = builder.or_(letters, _between(builder, text, ord("0"), ord("9")))
        # #$%& *+ - / <=> @ \ ^ | ~
        signs = _between(builder, text, ord("#"), ord("&"))
        for first, last in (("*", "+"), ("<", ">")):
            signs = builder.or_(signs, _between(builder, text, ord(first), ord(last)))
        for one in "-/@\\^|~":
            signs = builder.or_(signs, builder.icmp_unsigned("==", text, _all(ord(one))))
        beyond = builder.icmp_signed("<", text, _all(0))
        masks = [_mask(builder, flags) for flags in (words, signs, beyond)]
        return context.make_tuple(builder, signature.return_type, masks)

    return three(source, target), generate


lower_block = cast("Callable[[int, int], tuple[np.uint64, np.uint64, np.uint64]]", _lower_block)


@intrinsic
def _load32(typingctx: Any, address: Any) -> Any:
    """Read 4 bytes at an address as a little-endian uint32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[0], ir.IntType(32)), align=1)

    return types.uint32(types.intp), generate


load32 = cast("Callable[[int], np.uint32]", _load32)


@intrinsic
def _load64(typingctx: Any, address: Any) -> Any:
    """Read 8 bytes at an address as a little-endian uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[0], _WORD), align=1)

    return types.uint64(types.intp), generate


load64 = cast("Callable[[int], np.uint64]", _load64)


@intrinsic
def _store64(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a uint64 to an address as 8 little-endian bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _pointer(builder, args[0], _WORD), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.uint64), generate


store64 = cast("Callable[[int, np.uint64], None]", _store64)


@intrinsic
def _trailing_zeros(typingctx: Any, value: Any) -> Any:
    """Count the zero bits below the lowest one bit of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), generate


trailing_zeros = cast("Callable[[np.uint64], int]", _trailing_zeros)


@intrinsic
def _prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at an address; nothing is read, so any address will do."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(builder, args[0], _BYTE)
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, word, word, word])
        name = f"llvm.prefetch.{pointer.type.intrinsic_name}"
        insert = cgutils.get_or_insert_function
        function = insert(builder.module, kind, name)  # type: ignore[no-untyped-call]
        builder.call(function, [pointer, *(ir.Constant(word, one) for one in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(types.intp), generate


prefetch = cast("Callable[[int], None]", _prefetch)


MAP_WORDS = 32  # of a bitmap: 2048 bits
_MAP = ir.VectorType(_WORD, MAP_WORDS)


@intrinsic
def _bits_apart(typingctx: Any, one: Any, two: Any) -> Any:
    """Count the bits in which the bitmaps at two addresses differ."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (builder.load(_pointer(builder, at, _MAP), align=1) for at in args)
        insert, name = cgutils.get_or_insert_function, f"v{MAP_WORDS}i64"
        count = ir.FunctionType(_MAP, [_MAP])
        ones = insert(builder.module, count, f"llvm.ctpop.{name}")  # type: ignore[no-untyped-call]
        add = ir.FunctionType(_WORD, [_MAP])
        total = insert(builder.module, add, f"llvm.vector.reduce.add.{name}")  # type: ignore[no-untyped-call]
        return builder.call(total, [builder.call(ones, [builder.xor(left, right)])])

    return types.int64(types.intp, types.intp), generate


bits_apart = cast("Callable[[int, int], int]", _bits_apart)


PERMUTATIONS = 32  # taken together by `lower_minima`
_MINIMA = ir.VectorType(ir.IntType(32), PERMUTATIONS)


@intrinsic
def _lower_minima(typingctx: Any, at: Any, a: Any, b: Any, hashes: Any) -> Any:
    """Lower 32 minima by a * h + b mod 2^32, for the four hashes at an address.

    Args:
        at: address of the minima, uint32.
        a, b: addresses of the permutations, uint32.
        hashes: address of four uint32.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        minima, times, plus = (_pointer(builder, one, _MINIMA) for one in args[:3])
        low = builder.load(minima, align=1)
        times, plus = builder.load(times, align=1), builder.load(plus, align=1)
        word = ir.IntType(32)
        for place in range(4):
            address = builder.add(args[3], ir.Constant(args[3].type, 4 * place))
            one = builder.load(_pointer(builder, address, word), align=4)
            zero = ir.Constant(word, 0)
            first = builder.insert_element(ir.Constant(_MINIMA, ir.Undefined), one, zero)
            lanes = ir.Constant(ir.VectorType(word, PERMUTATIONS), [0] * PERMUTATIONS)
            spread = builder.shuffle_vector(first, ir.Constant(_MINIMA, ir.Undefined), lanes)
            value = builder.add(builder.mul(times, spread), plus)
            low = builder.select(builder.icmp_unsigned("<", value, low), value, low)
        builder.store(low, minima, align=1)
        return context.get_dummy_value()

    return types.void(at, a, b, hashes), generate


lower_minima = cast("Callable[[int, int, int, int], None]", _lower_minima)
