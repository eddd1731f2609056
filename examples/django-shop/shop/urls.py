from django.urls import path

from orders import views

urlpatterns = [path("", views.orders), path("health/", views.health)]
