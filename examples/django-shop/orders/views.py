from pathlib import Path

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from .models import Order

RELEASE = Path(settings.BASE_DIR).name


@csrf_exempt
def orders(request):
    """Lists the latest orders, and accepts new ones."""
    if request.method == "POST":
        Order.objects.create(article=request.POST["article"])
        return redirect("/")
    last = Order.objects.order_by("-id")[:10]
    return render(request, "orders/orders.html", {"orders": last, "release": RELEASE})


def health(request):
    """Returns the name of the running release, if the database is reachable."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse(f"ok {RELEASE}\n", content_type="text/plain")
