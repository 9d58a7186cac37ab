"""Models of the families' real classes, built from configurations with random weights and saved as users have them.

They are as small as the classes allow, up to 1 MB, and make noise; what they are for is to run every line that a real
model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import tiny_parts as parts

#: Name → folder or file of a tiny model.
Tiny = Callable[[str], Path]

#: Sides of pictures must be multiples of this for models with a VAE of two scales, as all here have.
CELL = 2


#: How the U-Net and the ControlNet of a tiny Stable Diffusion XL differ from those of 1.5.
_XL: dict[str, Any] = {
    "cross_attention_dim": 64, "attention_head_dim": (2, 4), "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "transformer_layers_per_block": (1, 1),
    "projection_class_embeddings_input_dim": 80,
}  # fmt: skip


def sd15(folder: Path, inpaint: bool = False, safety_checker: bool = False) -> Path:
    """A Stable Diffusion 1.5, or one made for inpainting: 9 channels go into its U-Net."""
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline, StableDiffusionPipeline

    parts.seed()
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    kind = StableDiffusionInpaintPipeline if inpaint else StableDiffusionPipeline
    checker, extractor = parts.safety_checker() if safety_checker else (None, None)
    kind(
        vae=parts.vae(), text_encoder=parts.text_encoder(), tokenizer=parts.tokenizer(),
        unet=parts.unet(9 if inpaint else 4), scheduler=scheduler, safety_checker=checker, feature_extractor=extractor,
        requires_safety_checker=safety_checker,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def controlnet(folder: Path, seed: int = 7, xl: bool = False) -> Path:
    """A ControlNet for `sd15` or `sdxl`, one whose last layers are not the zeros that it would start from."""
    import torch
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    net = ControlNetModel(
        in_channels=4, block_out_channels=(8, 16), layers_per_block=1, conditioning_embedding_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=4,
        **({"cross_attention_dim": 32, "attention_head_dim": 2} | (_XL if xl else {})),
    )  # fmt: skip
    for zeroed in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
        torch.nn.init.normal_(zeroed.weight, std=0.2)
    net.save_pretrained(folder)
    return folder


def sdxl(folder: Path) -> Path:
    """A Stable Diffusion XL."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    parts.seed()
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    StableDiffusionXLPipeline(
        vae=parts.vae(), text_encoder=parts.text_encoder(), text_encoder_2=parts.text_encoder(projected=True),
        tokenizer=parts.tokenizer(), tokenizer_2=parts.tokenizer(), unet=parts.unet(**_XL), scheduler=scheduler,
        add_watermarker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def sd35(folder: Path) -> Path:
    """A Stable Diffusion 3.5, without the T5 that it may do without."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    parts.seed()
    transformer = SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=8, out_channels=8, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64,
        qk_norm="rms_norm",
    )  # fmt: skip
    StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=parts.vae(8, shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=parts.text_encoder(projected=True), tokenizer=parts.tokenizer(),
        text_encoder_2=parts.text_encoder(projected=True), tokenizer_2=parts.tokenizer(),
        text_encoder_3=None, tokenizer_3=None,
    ).save_pretrained(folder)  # fmt: skip
    return folder


#: What the transformer of a tiny FLUX and its ControlNet have in common: 16 channels are 2 × 2 patches of 4.
_FLUX: dict[str, Any] = {
    "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 32, "pooled_projection_dim": 32, "axes_dims_rope": (4, 4, 8), "guidance_embeds": True,
}  # fmt: skip


def flux1(folder: Path, kind: str = "FluxPipeline") -> Path:
    """A FLUX.1, its Fill or its Kontext."""
    import diffusers

    parts.seed()
    seen = {"in_channels": 48, "out_channels": 16} if "Fill" in kind else {"in_channels": 16}  # + picture, + mask
    encoder, tokenizer = parts.t5()
    getattr(diffusers, kind)(
        transformer=diffusers.FluxTransformer2DModel(**seen, **_FLUX), vae=parts.flux_vae(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        text_encoder=parts.text_encoder(), tokenizer=parts.tokenizer(), text_encoder_2=encoder, tokenizer_2=tokenizer,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def flux1_controlnet(folder: Path) -> Path:
    """A ControlNet for `flux1`."""
    import torch
    from diffusers import FluxControlNetModel

    parts.seed()
    net = FluxControlNetModel(in_channels=16, **_FLUX)
    for zeroed in (*net.controlnet_blocks, *net.controlnet_single_blocks, net.controlnet_x_embedder):
        torch.nn.init.normal_(zeroed.weight, std=0.2)
    net.save_pretrained(folder)
    return folder


def z_image(folder: Path) -> Path:
    """A Z-Image."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

    parts.seed()
    transformer = ZImageTransformer2DModel(
        in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
        axes_dims=[4, 4, 8], axes_lens=[256, 32, 32],
    )  # fmt: skip
    ZImagePipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=parts.flux_vae(),
        text_encoder=parts.qwen3(2, "Qwen3Model"), tokenizer=parts.qwen_tokenizer(),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def flux2_klein(folder: Path) -> Path:
    """A FLUX.2 Klein: it reads its text encoder after 9, 18 and 27 layers."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )

    parts.seed()
    vae = AutoencoderKLFlux2(
        latent_channels=4, block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    vae.bn.running_mean.normal_()
    transformer = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    Flux2KleinPipeline(
        transformer=transformer, vae=vae, text_encoder=parts.qwen3(28, "Qwen3ForCausalLM"),
        tokenizer=parts.qwen_tokenizer(), is_distilled=False,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def qwen_image(folder: Path) -> Path:
    """A Qwen-Image."""
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    parts.seed()
    vae = AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.0, 2.0, 0.5, 1.5],
    )  # fmt: skip
    transformer = QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    text = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 300,
        "num_key_value_heads": 2, "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
    }  # fmt: skip
    seen = {"depth": 1, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 16}
    encoder = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=seen)).eval()
    QwenImagePipeline(
        transformer=transformer, vae=vae, text_encoder=encoder, tokenizer=parts.qwen_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def z_image_controlnet(folder: Path, model: Path) -> Path:
    """A ControlNet for `z_image`: it sees control picture, mask and picture, 4 + 1 + 4 channels."""
    import torch
    from diffusers import ZImageControlNetModel

    parts.seed()
    net = ZImageControlNetModel(
        control_layers_places=[0], control_in_dim=9, dim=32, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
    )  # fmt: skip
    for name, weight in net.named_parameters():
        if "before_proj" in name or "after_proj" in name:
            torch.nn.init.normal_(weight, std=0.2)
    net.save_pretrained(folder)
    return folder


def qwen_controlnet(folder: Path) -> Path:
    """A ControlNet for `qwen_image` that sees the picture and its mask."""
    import torch
    from diffusers import QwenImageControlNetModel

    parts.seed()
    net = QwenImageControlNetModel(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(4, 4, 8), extra_condition_channels=4,
    )  # fmt: skip
    for zeroed in (*net.controlnet_blocks, net.controlnet_x_embedder):
        torch.nn.init.normal_(zeroed.weight, std=0.2)
    net.save_pretrained(folder)
    return folder


def lora(file: Path, model: Path) -> Path:
    """A LoRA of the attention of `sd15`, one that changes something."""
    import torch
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", use_safetensors=True)
    torch.manual_seed(11)
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights="gaussian", target_modules=["to_q", "to_v"]))
    for name, weight in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    layers = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(file.parent, unet_lora_layers=layers, weight_name=file.name)
    return file


def ip_adapter(file: Path, model: Path) -> Path:
    """An IP-Adapter for `sd15` in the layout of its authors, with its image encoder beside it."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(13)
    width, tokens, seen = 32, 4, 16
    weights = {
        "image_proj.proj.weight": torch.randn(width * tokens, seen),
        "image_proj.proj.bias": torch.zeros(width * tokens),
        "image_proj.norm.weight": torch.ones(width), "image_proj.norm.bias": torch.zeros(width),
    }  # fmt: skip
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", use_safetensors=True)
    crossed = [name for name in unet.attn_processors if "attn2" in name]
    for k, name in enumerate(crossed):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for kind in ("to_k", "to_v"):
            weights[f"ip_adapter.{2 * k + 1}.{kind}_ip.weight"] = torch.randn(getattr(attention, kind).weight.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, file)
    vision = CLIPVisionConfig(
        hidden_size=32, projection_dim=seen, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4,
        image_size=32, patch_size=16,
    )  # fmt: skip
    CLIPVisionModelWithProjection(vision).save_pretrained(file.parent / "image_encoder")
    return file


#: Name → how it is made below a folder, with those that it is made from.
MODELS: Mapping[str, Callable[[Path, Tiny], Path]] = {
    "sd15": lambda folder, _: sd15(folder / "sd15"),
    "sd15-inpaint": lambda folder, _: sd15(folder / "sd15-inpaint", inpaint=True),
    "sd15-checked": lambda folder, _: sd15(folder / "sd15-checked", safety_checker=True),
    "sdxl": lambda folder, _: sdxl(folder / "sdxl"),
    "sd35": lambda folder, _: sd35(folder / "sd35"),
    "controlnet": lambda folder, _: controlnet(folder / "controlnet"),
    "controlnet-2": lambda folder, _: controlnet(folder / "controlnet-2", seed=8),
    "controlnet-xl": lambda folder, _: controlnet(folder / "controlnet-xl", xl=True),
    "flux1": lambda folder, _: flux1(folder / "flux1"),
    "flux1-fill": lambda folder, _: flux1(folder / "flux1-fill", "FluxFillPipeline"),
    "flux1-kontext": lambda folder, _: flux1(folder / "flux1-kontext", "FluxKontextPipeline"),
    "controlnet-flux1": lambda folder, _: flux1_controlnet(folder / "controlnet-flux1"),
    "z-image": lambda folder, _: z_image(folder / "z-image"),
    "flux2-klein": lambda folder, _: flux2_klein(folder / "flux2-klein"),
    "qwen-image": lambda folder, _: qwen_image(folder / "qwen-image"),
    "controlnet-z-image": lambda folder, get: z_image_controlnet(folder / "controlnet-z-image", get("z-image")),
    "controlnet-qwen": lambda folder, _: qwen_controlnet(folder / "controlnet-qwen"),
    "lora": lambda folder, get: lora(folder / "lora" / "bright.safetensors", get("sd15")),
    "ip-adapter": lambda folder, get: ip_adapter(folder / "ip" / "adapter.safetensors", get("sd15")),
}
