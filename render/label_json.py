"""The JSON of labels: COCO's own fields, and under `attributes` what COCO has no field for, so exports pass it on."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

__all__ = ["LabelJson"]


class LabelJson(BaseModel):
    """A label whose JSON has COCO's shape.

    Attributes:
        attributes: names of the fields that stand under `attributes` in JSON, in this order.
        optional: those of them that are left out where they are None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    attributes: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_json(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("attributes"), dict):
            return data
        return {key: value for key, value in data.items() if key != "attributes"} | data["attributes"]

    @model_serializer(mode="wrap")
    def _to_json(self, flat: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = flat(self)
        below = {key: fields.pop(key) for key in self.attributes}
        fields["attributes"] = {k: v for k, v in below.items() if v is not None or k not in self.optional}
        return fields
