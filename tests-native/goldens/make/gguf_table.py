"""The GGUF files of goldens/gguf."""

SEED = 2040
SIZE = dict(vocab=512, hidden=64, ff=192, depth=2, heads=4, kv=2, theta=1e6)
PROMPT, GREEDY = 15, 24
TEXTS = [
    "Hello world",
    " the  in\n\nthat",
    "don't 123",
    "<|im_start|>user\nhi<|im_end|>\n",
    "é 中 😀",
    "",
]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
