package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException

/**
 * JSON as Kotlin's own values: maps (in order), lists, strings, numbers, booleans, null. org.json
 * is not there outside of Android.
 */
internal object Json {
  /** Members that are null are left out of objects. Numbers must be finite. */
  fun write(value: Any?): String = StringBuilder().also { append(it, value) }.toString()

  /** Whole numbers become Long, others Double. Throws `invalid_argument`. */
  fun parse(text: String): Any? = Reader(text).document()

  private fun append(to: StringBuilder, value: Any?) {
    when (value) {
      null,
      is Boolean -> to.append(value)
      is Double -> {
        if (!value.isFinite()) throw invalid("wanted a finite number, found $value")
        to.append(value)
      }
      is Number -> to.append(value)
      is String -> appendText(to, value)
      is List<*> -> join(to, '[', value, ']') { append(to, it) }
      is Map<*, *> ->
        join(to, '{', value.entries.filter { it.value != null }, '}') { (key, member) ->
          appendText(to, key as String)
          to.append(':')
          append(to, member)
        }
      else -> throw invalid("wanted a value of JSON, found ${value.javaClass.name}")
    }
  }

  private fun <T> join(
    to: StringBuilder,
    open: Char,
    items: Collection<T>,
    close: Char,
    one: (T) -> Unit,
  ) {
    to.append(open)
    items.forEachIndexed { index, item ->
      if (index > 0) to.append(',')
      one(item)
    }
    to.append(close)
  }

  private fun appendText(to: StringBuilder, text: String) {
    to.append('"')
    for (character in text) {
      when {
        character == '"' || character == '\\' -> to.append('\\').append(character)
        character < ' ' -> to.append("\\u%04x".format(java.util.Locale.ROOT, character.code))
        else -> to.append(character)
      }
    }
    to.append('"')
  }

  private fun invalid(message: String) = TinyVlmException(ErrorCode.INVALID_ARGUMENT, message)

  private class Reader(private val text: String) {
    private var at = 0
    private var depth = 0

    fun document(): Any? {
      val value = value()
      if (peek() != null) throw wanted("the end")
      return value
    }

    private fun wanted(what: String) =
      invalid("JSON: wanted $what at character $at, found ${text.getOrNull(at) ?: "the end"}")

    private fun peek(): Char? {
      while (at < text.length && text[at] in " \t\r\n") ++at
      return text.getOrNull(at)
    }

    private fun take(character: Char) {
      if (peek() != character) throw wanted("'$character'")
      ++at
    }

    private fun value(): Any? =
      when (peek()) {
        '{' -> nested { members() }
        '[' -> nested { items() }
        '"' -> text()
        't' -> word("true", true)
        'f' -> word("false", false)
        'n' -> word("null", null)
        else -> number()
      }

    private fun <T> nested(read: () -> T): T {
      if (++depth > MAX_DEPTH) throw wanted("at most $MAX_DEPTH levels")
      return read().also { --depth }
    }

    private fun members(): Map<String, Any?> {
      val members = LinkedHashMap<String, Any?>()
      take('{')
      if (peek() != '}') {
        while (true) {
          if (peek() != '"') throw wanted("a key")
          val key = text()
          take(':')
          members[key] = value()
          if (peek() != ',') break
          ++at
        }
      }
      take('}')
      return members
    }

    private fun items(): List<Any?> {
      val items = ArrayList<Any?>()
      take('[')
      if (peek() != ']') {
        while (true) {
          items += value()
          if (peek() != ',') break
          ++at
        }
      }
      take(']')
      return items
    }

    private fun text(): String {
      take('"')
      val result = StringBuilder()
      while (true) {
        val character = text.getOrNull(at) ?: throw wanted("a quotation mark")
        ++at
        when {
          character == '"' -> return result.toString()
          character < ' ' -> throw wanted("an escape for a control character")
          character == '\\' -> result.append(escaped())
          else -> result.append(character)
        }
      }
    }

    private fun escaped(): Char {
      val letter = text.getOrNull(at) ?: throw wanted("an escape")
      ++at
      if (letter == 'u') {
        val digits = text.substring(at, minOf(at + 4, text.length))
        val code = digits.takeIf { it.length == 4 }?.toIntOrNull(16) ?: throw wanted("4 digits")
        at += 4
        return code.toChar()
      }
      val place = "\"\\/bfnrt".indexOf(letter)
      if (place < 0) throw wanted("an escape")
      return "\"\\/\b\u000c\n\r\t"[place]
    }

    private fun <T> word(word: String, value: T): T {
      if (!text.startsWith(word, at)) throw wanted(word)
      at += word.length
      return value
    }

    private fun number(): Number {
      val found = NUMBER.find(text, at)?.takeIf { it.range.first == at } ?: throw wanted("a value")
      at = found.range.last + 1
      return found.value.toLongOrNull() ?: found.value.toDouble()
    }
  }

  private const val MAX_DEPTH = 200
  private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
}

/** A JSON object that the engine wrote, which has the members that its header lists. */
internal class JsonObject(private val members: Map<*, *>) {
  constructor(bytes: ByteArray) : this(Json.parse(bytes.toString(Charsets.UTF_8)) as Map<*, *>)

  fun text(key: String): String = members[key] as String

  fun number(key: String): Double = (members[key] as Number).toDouble()

  fun long(key: String): Long = (members[key] as Number).toLong()

  fun int(key: String): Int = long(key).toInt()

  fun flag(key: String): Boolean = members[key] as Boolean

  fun child(key: String): JsonObject = JsonObject(members[key] as Map<*, *>)

  fun has(key: String): Boolean = members[key] != null

  fun texts(key: String): List<String> = list(key).map { it as String }

  fun ints(key: String): List<Int> = list(key).map { (it as Number).toInt() }

  fun children(key: String): List<JsonObject> = list(key).map { JsonObject(it as Map<*, *>) }

  private fun list(key: String) = members[key] as List<*>
}
