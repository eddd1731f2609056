from django.contrib.auth.views import LoginView
from django.urls import path

from orders import views

urlpatterns = [path("", views.orders), path("health/", views.health), path("login/", LoginView.as_view())]
