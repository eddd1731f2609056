from django import forms

from .models import Order


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["article"]


class GiftOrderForm(OrderForm):
    class Meta(OrderForm.Meta):
        fields = ["article", "gift_wrapped"]
