"""Parts of the tiny models that several of them have: tokenizers, text encoders, VAEs and U-Nets, all random."""

from __future__ import annotations

import string
from typing import Any

VOCABULARY = 1000


def seed() -> None:
    import torch

    torch.manual_seed(7)


def tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [*string.printable.strip(), *(f"{c}</w>" for c in string.printable.strip())]
    tokens = ["<|startoftext|>", "<|endoftext|>", *dict.fromkeys(letters)]
    return CLIPTokenizer(vocab={token: k for k, token in enumerate(tokens)}, merges=[], model_max_length=77)


def text_encoder(width: int = 32, projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_size=width, projection_dim=width, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=1, pad_token_id=1, hidden_act="gelu",
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def vae(channels: int = 4, **more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=channels, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, **more,
    )  # fmt: skip


def unet(channels: int = 4, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16, in_channels=channels, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, **({"cross_attention_dim": 32, "attention_head_dim": 2} | more),
    )  # fmt: skip


def safety_checker() -> tuple[Any, Any]:
    """A checker that holds everything to be unsafe: its thresholds are below any cosine."""
    import torch
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=32, projection_dim=16, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4,
        image_size=32, patch_size=16,
    )  # fmt: skip
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision.to_dict(), projection_dim=16)).eval()
    checker.concept_embeds_weights = torch.nn.Parameter(torch.full((17,), -2.0), requires_grad=False)
    return checker, CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def t5() -> tuple[Any, Any]:
    """A T5 encoder of letters, and its tokenizer."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    letters = [(c, -3.0) for c in string.printable if not c.isspace()]
    tokenizer = T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters], extra_ids=0)
    config = T5Config(vocab_size=128, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4)
    return T5EncoderModel(config).eval(), tokenizer


def flux_vae() -> Any:
    return vae(4, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False, use_post_quant_conv=False)


def qwen_tokenizer() -> Any:
    """A tokenizer of bytes with the template of a chat."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    tokens = [*sorted(ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(vocab={token: k for k, token in enumerate(tokens)}, merges=[])
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def qwen3(layers: int, kind: str) -> Any:
    import transformers

    config = transformers.Qwen3Config(
        vocab_size=300, hidden_size=16, intermediate_size=24, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=2, head_dim=8,
    )  # fmt: skip
    return getattr(transformers, kind)(config).eval()
