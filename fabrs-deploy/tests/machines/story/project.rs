//! The Django project of the story: a list of customers, in a git repository.

use std::fs;
use std::path::Path;

use fabrs_testing::GitServer;

const SETTINGS: &str = r#"from pathlib import Path
from urllib.parse import urlparse

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = dict(line.split("=", 1) for line in (BASE_DIR / ".env").read_text().splitlines())
URL = urlparse(ENV["DATABASE_URL"])
SECRET_KEY = ENV["SECRET_KEY"]
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": URL.path[1:], "USER": URL.username,
    "PASSWORD": URL.password, "HOST": URL.hostname,
}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "customers"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
"#;

const WSGI: &str = r#"import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
"#;

const MANAGE: &str = r#"import os
import sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"#;

const URLS: &str = r#"from django.urls import path
from customers import views
urlpatterns = [path("", views.customers), path("health/", views.health)]
"#;

const VIEWS: &str = r#"from django.conf import settings
from django.http import HttpResponse
from customers.models import Customer

def customers(request):
    return HttpResponse(f"{Customer.objects.count()} customers\n")

def health(request):
    return HttpResponse(f"{settings.BASE_DIR.name}\n")
"#;

const MODELS: &str = "from django.db import models

class Customer(models.Model):
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=100)
";

const FIRST_MIGRATION: &str = r#"from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel("Customer", [
        ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")),
        ("name", models.CharField(max_length=100)),
        ("email", models.CharField(max_length=100)),
    ])]
"#;

const CITY_MIGRATION: &str = r#"from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("customers", "0001_customer")]
    operations = [migrations.AddField("Customer", "city", models.CharField(max_length=100, null=True))]
"#;

/// Creates the repository, with the first build.
#[track_caller]
pub(super) fn create(tree: &Path) {
    GitServer::git(tree, &["init", "--quiet"]);
    for (path, content) in [
        ("manage.py", MANAGE),
        ("shop/__init__.py", ""),
        ("shop/settings.py", SETTINGS),
        ("shop/wsgi.py", WSGI),
        ("shop/urls.py", URLS),
        ("customers/__init__.py", ""),
        ("customers/views.py", VIEWS),
        ("customers/models.py", MODELS),
        ("customers/migrations/__init__.py", ""),
        ("customers/migrations/0001_customer.py", FIRST_MIGRATION),
    ] {
        write(tree, path, content);
    }
    build(tree, "deployable-1");
}

/// Adds a build with a new column.
#[track_caller]
pub(super) fn add_city(tree: &Path) {
    let city = "    city = models.CharField(max_length=100, null=True)\n";
    write(tree, "customers/models.py", &format!("{MODELS}{city}"));
    write(tree, "customers/migrations/0002_city.py", CITY_MIGRATION);
    build(tree, "deployable-2");
}

/// Adds a build with a health page that fails.
#[track_caller]
pub(super) fn break_health(tree: &Path) {
    let broken = "    raise RuntimeError(\"no warehouse\")\n";
    write(
        tree,
        "customers/views.py",
        &VIEWS
            .replace("    return HttpResponse(f\"{settings", &format!("{broken}    return HttpResponse(f\"{{settings")),
    );
    build(tree, "deployable-3");
}

fn write(tree: &Path, path: &str, content: &str) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().expect("a relative path")).expect("a writable directory");
    fs::write(path, content).expect("a writable directory");
}

#[track_caller]
fn build(tree: &Path, tag: &str) {
    GitServer::git(tree, &["add", "--all"]);
    GitServer::git(tree, &["commit", "--quiet", "--message", tag]);
    GitServer::git(tree, &["tag", tag]);
}
