"""Settings of the shop. Settings specific to a host are in `.env` on that host."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost"])
DATABASES = {"default": env.db("DATABASE_URL")}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "waffle",
    "orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "waffle.middleware.WaffleMiddleware",
]
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True
LOGIN_REDIRECT_URL = "/"
# Each process reads the feature flags from the database, so that a change of a flag takes effect at once.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
# nginx terminates TLS, and redirects HTTP to HTTPS.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# File names contain a hash of the content. A deploy copies the files to ~/shop/shared/static for
# nginx, so that pages of the previous release still find their files.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
