from pathlib import Path

import waffle
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

from .forms import GiftOrderForm, OrderForm
from .models import Order

RELEASE = Path(settings.BASE_DIR).name


@csrf_exempt
def orders(request):
    """Lists the latest orders, and accepts new ones."""
    form_class = GiftOrderForm if waffle.flag_is_active(request, "gift_wrapping") else OrderForm
    form = form_class(request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.save()
        return redirect("/")
    context = {"form": form, "orders": Order.objects.order_by("-id")[:10], "release": RELEASE}
    return render(request, "orders/orders.html", context, status=400 if form.is_bound else 200)


def health(request):
    """Returns the name of the running release, if the database is reachable."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse(f"ok {RELEASE}\n", content_type="text/plain")
