// Package expr is the language of filters and computed columns. It owns CEL in tidemark.
//
// CEL parses and type-checks an expression over the fields of one source; what runs is this package's own columnar
// evaluator, which knows a stated subset (see Supported) and works on whole columns: a tree of kernels, each of which
// reads the vectors of its operands and fills one of its own, 1,024 rows at a time. In steady state it does not
// allocate. Row runs an expression with cel-go itself, one row at a time: slow, and what the other is judged by.
//
// # Values
//
// Every field is nullable. Bool is a bool; Int32, Int64, Decimal and Time are ints (a Decimal is the integer of its
// 10^-scale units, a Time is ms); String and Enum are strings; JSON can only be compared with null. The result of an
// expression that is more than a field is a Bool, an Int64 or a String.
//
// # Null and errors
//
// The meaning is cel-go's, row by row, on nullable types. A null operand makes an operator err, but for == and != (null
// equals null and nothing else), in (null is in no list) and the branches of ?: (which pass it on). Overflow of int64
// and division by zero err. An error spreads, but && and || absorb it where the other operand decides, and ?: ignores
// the branch not taken. A row whose expression is null or errs has a null; rows that overflowed or divided by zero are
// counted, rows that err for a null operand only are not: a missing value is no mistake.
//
// The package knows columns, types and text; nothing of views, operators, files or clocks.
package expr
