# Prints the flags, switches and samples of django-waffle as a line of JSON.
import json
import sys

from django.apps import apps
from django.core.cache.backends.locmem import LocMemCache

if not apps.is_installed("waffle"):
    sys.exit("`waffle` is missing in INSTALLED_APPS")
import waffle
from waffle.utils import get_cache


def flag(model):
    groups, users = getattr(model, "groups", None), getattr(model, "users", None)
    return {
        "name": model.name,
        "everyone": model.everyone,
        "percent": float(model.percent) if model.percent else None,
        "superusers": model.superusers,
        "staff": model.staff,
        "authenticated": model.authenticated,
        "groups": sorted(groups.values_list("name", flat=True)) if groups else [],
        "users": users.count() if users else 0,
        "languages": [language.strip() for language in model.languages.split(",") if language.strip()],
        "rollout": model.rollout,
        "testing": model.testing,
    }


def names(model):
    return model.objects.order_by("name")


cache = get_cache()
print("fabrs:" + json.dumps({
    "version": getattr(waffle, "__version__", "unknown"),
    "flags": [flag(model) for model in names(waffle.get_waffle_flag_model())],
    "switches": [{"name": model.name, "is_on": model.active} for model in names(waffle.get_waffle_switch_model())],
    "samples": [
        {"name": model.name, "percent": float(model.percent)} for model in names(waffle.get_waffle_sample_model())
    ],
    # The servers do not share this cache with the commands that change a flag.
    "private_cache": {"seconds": cache.default_timeout} if isinstance(cache, LocMemCache) else None,
}))
